#include <temper/train/range_test.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include <nlohmann/json.hpp>

#include <temper/core/errors.hpp>

using namespace temper;

namespace {

/// A loss of the rate alone: it falls from 2 around 1e-4 to 1 at 1e-2, and rises steeply from 0.1 on.
double loss_at(double rate) {
  const double decades = std::log10(rate);
  return 2 - 1 / (1 + std::exp(-4 * (decades + 4))) + std::max(0.0, std::pow(rate / 0.1, 4) - 1e-4);
}

RangeTest run(double (*loss)(double), RangeTestOptions options = {}) {
  RangeTest test(options);
  while (test.add(loss(test.rate()))) {
  }
  return test;
}

}  // namespace

TEST_CASE("the rates of a range test grow by one factor, from the first to the last") {
  RangeTest test({.from = 1e-3, .to = 10, .updates = 5});
  std::vector<double> rates;
  bool more = true;
  while (more) {
    rates.push_back(test.rate());
    more = test.add(1);
  }
  REQUIRE(rates.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) CHECK(rates[i] == doctest::Approx(std::pow(10.0, static_cast<double>(i) - 3)));
  CHECK(!test.diverged());
  CHECK(test.rates() == rates);
}

TEST_CASE("a range test suggests a tenth of the rate of the smallest loss, and knows where it falls fastest") {
  const RangeTest test = run(loss_at);
  CHECK(test.diverged());
  CHECK(test.rates().back() < 1.0);  // it ended before the last rate
  REQUIRE(test.suggestion());
  // By eye: the smallest loss is near 1e-2, where the sigmoid is flat and the power has not begun.
  CHECK(*test.suggestion() > 2e-4);
  CHECK(*test.suggestion() < 3e-3);
  CHECK(std::log10(*test.steepest()) == doctest::Approx(-4).epsilon(0.05));
  const std::string text = test.text();
  CAPTURE(text);
  for (const char* part : {"then the loss diverged", "suggested: --lr 0.00", "falls fastest at", "1e-06", ":", "*"}) {
    CAPTURE(part);
    CHECK(text.find(part) != std::string::npos);
  }
}

TEST_CASE("a range test ends at five times the smallest average, and at what is not finite") {
  RangeTest test({.updates = 1000});
  for (int i = 0; i < 50; ++i) REQUIRE(test.add(1.0));
  int more = 1;
  while (test.add(21.0)) ++more;  // each moves the average by 1/20 of the way: 1 + 20 (1 - 0.95^n) > 5 at n = 5
  CHECK(more == 5);
  CHECK(test.diverged());
  RangeTest other;
  CHECK(other.add(1.0));
  CHECK(!other.add(std::numeric_limits<double>::quiet_NaN()));
  CHECK(other.diverged());
  CHECK(other.losses().size() == 1);
}

TEST_CASE("a negative loss diverges as a positive one does: by four times its size") {
  RangeTest test({.updates = 1000});
  for (int i = 0; i < 200; ++i) REQUIRE(test.add(-1.0));
  int more = 1;
  while (test.add(19.0)) ++more;  // -1 + 20 (1 - 0.95^n) > -1 + 4 at n = 5
  CHECK(more == 5);
}

TEST_CASE("a range test without enough to go by suggests nothing, and says why") {
  const RangeTest rising = run([](double rate) { return 1 + rate; });
  CHECK(!rising.suggestion());
  CHECK(!rising.steepest());
  CHECK(rising.text().find("there is no suggestion: the loss never fell") != std::string::npos);
  RangeTest few;
  for (int i = 0; i < 5; ++i) few.add(5 - i);
  few.diverge();
  CHECK(!few.suggestion());
  CHECK(few.text().find("too few to say anything") != std::string::npos);
  CHECK(RangeTest().text().find("0 updates") != std::string::npos);
}

TEST_CASE("a constant loss has a picture") {
  const RangeTest test = run([](double) { return 0.0; }, {.updates = 20});
  CHECK(test.text().find('*') != std::string::npos);
}

TEST_CASE("a range test's sample for the report has the curves and the suggestion") {
  const RangeTest test = run(loss_at);
  const auto sample = nlohmann::json::parse(test.sample());
  CHECK(sample["kind"] == "chart");
  CHECK(sample["x"]["values"].size() == test.rates().size());
  CHECK(sample["series"][1]["values"].size() == test.rates().size());
  CHECK(sample["marks"][0]["x"] == *test.suggestion());
}

TEST_CASE("bad options of a range test throw") {
  CHECK_THROWS_WITH_AS(RangeTest({.from = 0}), "RangeTest: rates from 0 to 10, expected two positive ones, the smaller first",
                       ValueError);
  CHECK_THROWS_AS(RangeTest({.from = 1, .to = 1}), ValueError);
  CHECK_THROWS_WITH_AS(RangeTest({.updates = 1}), "RangeTest: 1 updates, expected at least 2", ValueError);
  CHECK_THROWS_AS(RangeTest({.diverged = 1}), ValueError);
}
