// Averages of the weights and their bf16 copies.

#include <temper/optim/average.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/optim/optim.hpp>

#include "optim/kernels/table.hpp"
#include "tests/optim/near_internal.hpp"

using namespace temper;
using namespace temper::optim;

namespace {

/// An optimizer that subtracts 1 from p with every step.
void down(SGD& sgd, Parameter& p) {
  p.set_gradient(full(p.shape(), 1.0f));
  sgd.step();
}

float first(const Tensor& x) { return x.values<float>()[0]; }

}  // namespace

TEST_CASE("an exponential moving average begins with the first update") {
  Parameter p(full({20000}, 10.0f), Role::weight), resting(full({3}, 4.0f), Role::weight);
  SGD sgd({p, resting}, {.lr = 1.0});
  CHECK_THROWS_WITH_AS(sgd.averaged(p), "SGD: no average is kept", ValueError);
  CHECK_THROWS_WITH_AS(sgd.average({.decay = 1.0}),
                       "SGD: the decay of the average is 1, expected at least 0 and less than 1", ValueError);
  sgd.average({.decay = 0.75, .warmup = false});
  CHECK_THROWS_WITH_AS(sgd.averaged(p), "SGD: there are no averages of the weights yet", ValueError);
  double expected = 9.0;
  for (int step = 0; step < 5; ++step) {
    down(sgd, p);
    if (step > 0) expected = 0.75 * expected + 0.25 * (9.0 - step);
    for (const float x : sgd.averaged(p).values<float>()) REQUIRE(x == near(expected));
    CHECK(first(sgd.averaged(resting)) == 4.0f);
  }
}

TEST_CASE("the average forgets initial weights: the decay is at most (1 + n) / (10 + n) after n samples") {
  Parameter p(full({5}, 1000.0f), Role::weight);
  SGD sgd({p}, {.lr = 1.0});
  sgd.average({.decay = 0.5});
  double expected = 999.0;
  for (int n = 0; n < 20; ++n) {
    down(sgd, p);
    if (n > 0) {
      const double keep = std::min(0.5, (1.0 + n) / (10.0 + n));
      expected = keep * expected + (1 - keep) * (999.0 - n);
    }
    CHECK(first(sgd.averaged(p)) == near(expected));
  }
  // After a thousand updates the average is of about the last tenth, and hardly of the first weights.
  Parameter q(full({1}, 0.0f), Role::weight);
  SGD longer({q}, {.lr = 1.0});
  longer.average();
  for (int n = 0; n < 1000; ++n) down(longer, q);
  CHECK(first(longer.averaged(q)) < -850.0f);
}

TEST_CASE("SWA: the mean of every second update from the third on") {
  Parameter p(full({5}, 10.0f), Role::weight);
  SGD sgd({p}, {.lr = 1.0});
  sgd.average({.equal = true, .start = 2, .every = 2});
  for (int step = 0; step < 2; ++step) down(sgd, p);
  CHECK_THROWS_WITH_AS(sgd.swap_averages(), "SGD: there are no averages of the weights yet", ValueError);
  for (int step = 2; step < 8; ++step) down(sgd, p);
  CHECK(first(sgd.averaged(p)) == near((7.0 + 5.0 + 3.0) / 3));

  const OptimizerState state = SGD({p.named("p")}, {.lr = 1.0}).state();
  sgd.swap_averages();
  CHECK(first(p.value()) == near(5.0));
  const char* swapped = "SGD: the parameters hold their averages; swap_averages() takes that back";
  CHECK_THROWS_WITH_AS(sgd.step(), swapped, ValueError);
  CHECK_THROWS_WITH_AS(sgd.state(), swapped, ValueError);
  CHECK_THROWS_WITH_AS(sgd.load(state, {.accept_changes = true}), swapped, ValueError);
  sgd.swap_averages();
  CHECK(first(p.value()) == 2.0f);
  CHECK_THROWS_WITH_AS(sgd.average(), "SGD: the weights are averaged already", ValueError);
}

TEST_CASE("bf16 copies follow the parameters") {
  Parameter p(full({300}, 1.0f), Role::weight), other(full({1}, 1.0f), Role::weight);
  SGD sgd({p}, {.lr = 1.0 / 256});
  sgd.keep_bf16();
  CHECK(sgd.bf16(p).values<BFloat16>()[299].bits == 0x3f80);
  down(sgd, p);
  for (const BFloat16 x : sgd.bf16(p).values<BFloat16>()) REQUIRE(x.bits == 0x3f7f);
  CHECK_THROWS_WITH_AS(sgd.bf16(other), "SGD: parameter '' is not one of its own", ValueError);
}

TEST_CASE("conversion to bf16 rounds to nearest even, and NaN stays NaN") {
  const std::vector<float> x = {1.0f,
                                1.0f + 0x1p-8f,  // tie, down to even
                                1.0f + 0x3p-8f,  // tie, up to even
                                1.0f + 0x1p-8f + 0x1p-20f,
                                -3.3e38f,
                                std::numeric_limits<float>::max(),
                                std::numeric_limits<float>::infinity(),
                                0.0f,
                                -0.0f,
                                std::bit_cast<float>(0x7fffffffu),
                                std::bit_cast<float>(0xff800001u)};
  const std::vector<std::uint16_t> expected = {0x3f80, 0x3f80, 0x3f82, 0x3f81, 0xff78, 0x7f80, 0x7f80, 0, 0x8000};
  for (const auto isa : kernels::supported_isas()) {
    for (std::size_t lead = 0; lead < 20; ++lead) {
      std::vector<float> in(lead, 2.0f);
      in.insert(in.end(), x.begin(), x.end());
      std::vector<std::uint16_t> out(in.size() + 1, 0x1234);
      optim_kernels::table_of(isa).to_bf16(in.data(), out.data(), static_cast<std::int64_t>(in.size()));
      for (std::size_t i = 0; i < expected.size(); ++i) CHECK(out[lead + i] == expected[i]);
      for (std::size_t i = expected.size(); i < x.size(); ++i) CHECK((out[lead + i] & 0x7fff) > 0x7f80);
      CHECK(out.back() == 0x1234);
    }
  }
}
