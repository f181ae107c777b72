// What a sweep tries: values, combinations, rounds. tests/programs/sweep.py runs whole sweeps.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "framework/run/sweep_internal.hpp"

using namespace temper;
using namespace temper::sweep;

namespace {

/// As a program with --lr, --heads (whole numbers) and --kind.
Tried tried(const std::string& text) {
  return read_tried(text, [](const std::string& name) {
    if (name == "--lr" || name == "--kind") return false;
    if (name == "--heads") return true;
    throw ValueError(name + ": there is no such option");
  });
}

std::string error_of(const std::string& text) {
  try {
    tried(text);
  } catch (const ValueError& error) {
    return error.what();
  }
  return "none";
}

}  // namespace

TEST_CASE("--try reads lists, ranges and logarithmic ranges") {
  const Tried list = tried("kind=a,b ,..c");
  CHECK(list.name == "kind");
  CHECK(list.values == std::vector<std::string>{"a", "b ", "..c"});
  CHECK(tried("--kind=a").values == std::vector<std::string>{"a"});
  CHECK(tried("lr=1e-3 * warmup(5).then(cosine(9, {.end = 0.1})),2e-3").values ==
        std::vector<std::string>{"1e-3 * warmup(5).then(cosine(9, {.end = 0.1}))", "2e-3"});
  const Tried range = tried("lr=1e-4..1e-2:log");
  CHECK(range.values.empty());
  CHECK(range.log);
  CHECK(range.low == 1e-4);
  CHECK(range.high == 1e-2);
  CHECK(!tried("lr=-1..2.5").log);
  CHECK(tried("heads=1..8").whole);
}

TEST_CASE("what --try cannot read is an error that names the option and what was expected") {
  const std::pair<const char*, const char*> cases[] = {
      {"lr", "--try 'lr': expected an option and its values, as in lr=1e-4..1e-2:log"},
      {"=3", "expected an option and its values"},
      {"lr=", "expected an option and its values"},
      {"rate=1,2", "--try 'rate=1,2': --rate: there is no such option"},
      {"lr=1,,2", "there is nothing between two commas, expected a value"},
      {"lr=1,2,1", "1 is there twice"},
      {"lr=1..x", "expected a range LOW..HIGH of two numbers, the smaller first, or LOW..HIGH:log"},
      {"lr=2..1", "expected a range LOW..HIGH of two numbers, the smaller first"},
      {"lr=1..2:exp", "expected a range LOW..HIGH of two numbers"},
      {"lr=0..1:log", "a logarithmic range from 0, expected one that begins above 0"},
      {"heads=1..2.5", "--heads takes whole numbers, expected them as the ends of the range"},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    CHECK(error_of(text).find(expected) != std::string::npos);
  }
}

TEST_CASE("lists make all combinations, or some of them, each once, in order") {
  const std::vector<Tried> two = {tried("kind=a,b"), tried("heads=1,2,4")};
  using Values = std::vector<std::vector<std::string>>;
  CHECK(draw(two, 0, 1) == Values{{"a", "1"}, {"a", "2"}, {"a", "4"}, {"b", "1"}, {"b", "2"}, {"b", "4"}});
  CHECK(draw(two, 100, 1).size() == 6);
  const Values four = draw(two, 4, 1);
  CHECK(std::set<std::vector<std::string>>(four.begin(), four.end()).size() == 4);
  CHECK(std::ranges::is_sorted(four));
  CHECK(draw(two, 4, 1) == four);
  std::set<Values> different;
  for (std::uint64_t seed = 0; seed < 20; ++seed) different.insert(draw(two, 4, seed));
  CHECK(different.size() > 3);
}

TEST_CASE("ranges are drawn one from each of as many equal parts as there are runs, and lists equally often") {
  const auto drawn = draw({tried("lr=1e-4..1e-2:log"), tried("kind=a,b,c"), tried("heads=1..3")}, 30, 7);
  REQUIRE(drawn.size() == 30);
  std::set<int> parts;
  std::map<std::string, int> kinds, heads;
  for (const auto& values : drawn) {
    const double rate = std::stod(values[0]);
    CHECK(rate >= 1e-4);
    CHECK(rate <= 1e-2);
    parts.insert(static_cast<int>(std::log10(rate / 1e-4) / 2 * 30 * 0.99999));
    ++kinds[values[1]];
    ++heads[values[2]];
  }
  CHECK(parts.size() >= 28);  // four digits may round a rate into the next part
  CHECK(kinds == std::map<std::string, int>{{"a", 10}, {"b", 10}, {"c", 10}});
  CHECK(heads == std::map<std::string, int>{{"1", 10}, {"2", 10}, {"3", 10}});
  // The columns are shuffled apart from each other.
  std::set<std::pair<std::string, std::string>> pairs;
  for (const auto& values : drawn) pairs.insert({values[1], values[2]});
  CHECK(pairs.size() > 5);
  CHECK(draw({tried("lr=1e-4..1e-2:log")}, 30, 7) != draw({tried("lr=1e-4..1e-2:log")}, 30, 8));
}

TEST_CASE("what cannot be drawn is an error") {
  CHECK_THROWS_WITH_AS(draw({}, 3, 1), doctest::Contains("expected --try OPTION=VALUES at least once"), ValueError);
  CHECK_THROWS_WITH_AS(draw({tried("lr=0.5..1")}, 0, 1),
                       doctest::Contains("--try lr=0.5..1 is a range, of which any number of values can be tried; --runs"),
                       ValueError);
  std::string many = "heads=0";
  for (int i = 1; i < 200; ++i) many += "," + std::to_string(i);
  CHECK_THROWS_WITH_AS(draw({tried(many), tried("lr" + many.substr(5))}, 5, 1),
                       doctest::Contains("more than 10000 combinations"), ValueError);
}

TEST_CASE("successive halving: a third of the runs go three times as far") {
  const auto check = [](std::int64_t runs, std::int64_t rounds, std::vector<std::pair<std::int64_t, double>> expected) {
    const std::vector<Round> all = rounds_of(runs, rounds, 3);
    REQUIRE(all.size() == expected.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      CHECK(all[i].runs == expected[i].first);
      CHECK(all[i].part == doctest::Approx(expected[i].second));
    }
  };
  check(27, 3, {{27, 1.0 / 9}, {9, 1.0 / 3}, {3, 1}});
  check(27, 9, {{27, 1.0 / 27}, {9, 1.0 / 9}, {3, 1.0 / 3}, {1, 1}});
  check(10, 3, {{10, 1.0 / 9}, {3, 1.0 / 3}, {1, 1}});
  check(4, 3, {{4, 1.0 / 3}, {1, 1}});
  check(2, 3, {{2, 1}});
  check(5, 1, {{5, 1}});
}
