// Moments in 16 and 8 bits.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/optim/adam.hpp>

#include "framework/kernels/isa.hpp"
#include "optim/kernels/table.hpp"
#include "tests/optim/near_internal.hpp"

using namespace temper;
using namespace temper::optim;
using kernels::Isa;

namespace {

struct RestoreIsa {
  ~RestoreIsa() { optim_kernels::use(kernels::isa()); }
};

/// A gradient in [-1, 1] whose elements differ in magnitude by up to three decades.
float gradient(std::int64_t i, int step) {
  const auto hash = static_cast<std::uint32_t>(i * 7919 + step * 104729) * 2654435761u;
  return (static_cast<float>(hash >> 8) * 0x1p-23f - 1.0f + 0.3f) * std::pow(10.0f, -static_cast<float>(i % 4));
}

std::vector<float> after(Moments moments, std::int64_t n, int steps, std::uint64_t seed = 0) {
  Parameter p(zeros({n}), Role::weight);
  Adam adam({p}, {.lr = 1e-3, .moments = moments, .seed = seed});
  for (int step = 0; step < steps; ++step) {
    Tensor g = empty({n});
    for (std::int64_t i = 0; i < n; ++i) g.mutable_data<float>()[i] = gradient(i, step);
    p.set_gradient(g);
    adam.step();
  }
  const auto values = p.value().values<float>();
  return {values.begin(), values.end()};
}

/// Root mean square of a - b over that of b.
double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(a[i] - b[i], 2);
    size += std::pow(b[i], 2);
  }
  return std::sqrt(difference / size);
}

}  // namespace

TEST_CASE("training with narrow moments stays close to f32") {
  constexpr std::int64_t n = 1000;
  const std::vector<float> full = after(Moments::f32, n, 300);
  const double bf16 = distance(after(Moments::bf16, n, 300), full);
  const double bits8 = distance(after(Moments::bits8, n, 300), full);
  MESSAGE("relative distance after 300 steps: bf16 " << bf16 << ", 8 bits " << bits8);
  CHECK(bf16 < 0.01);
  CHECK(bits8 < 0.1);
  CHECK(bf16 > 0.0);
  CHECK(bits8 > bf16);
}

TEST_CASE("stochastic rounding depends on the seed only") {
  CHECK(after(Moments::bf16, 300, 20, 1) == after(Moments::bf16, 300, 20, 1));
  CHECK(after(Moments::bf16, 300, 20, 1) != after(Moments::bf16, 300, 20, 2));
  CHECK(after(Moments::bits8, 300, 20, 1) != after(Moments::bits8, 300, 20, 2));
}

TEST_CASE("stochastic rounding keeps the mean of a second moment that changes by a thousandth per step") {
  // With rounding to nearest, the moment would not change at all after the first steps.
  for (const Moments moments : {Moments::bf16, Moments::bits8}) {
    constexpr std::int64_t n = 2048;
    Parameter p(zeros({n}), Role::weight);
    Adam adam({p}, {.lr = 1.0, .beta1 = 0.0, .moments = moments});
    const auto step = [&](float g) {
      p.set_gradient(full({n}, g));
      adam.step();
    };
    for (int i = 0; i < 10; ++i) step(1.0f);
    for (int i = 0; i < 690; ++i) step(0.0f);
    Tensor(p.value()).fill(0.0f);
    step(0.0f);
    step(1e-3f);  // the step is m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
    const auto values = p.value().values<float>();
    const double v = (1.0 - std::pow(0.999, 10)) * std::pow(0.999, 692), corrected = v / (1.0 - std::pow(0.999, 702));
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
    CHECK(mean == near(-1e-3 / std::sqrt(corrected), moments == Moments::bf16 ? 0.01 : 0.1));
  }
}

TEST_CASE("with unchecked gradients, a NaN spreads to its element only, or to its block with 8 bits") {
  constexpr std::int64_t n = 700, bad = 300;
  for (const Isa isa : kernels::supported_isas()) {
    const RestoreIsa restore;
    optim_kernels::use(isa);
    for (const Moments moments : {Moments::f32, Moments::bf16, Moments::bits8}) {
      for (const float value : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::quiet_NaN(),
                                std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
        CAPTURE(kernels::to_string(isa));
        CAPTURE(static_cast<int>(moments));
        CAPTURE(value);
        Parameter p(zeros({n}), Role::weight);
        AdamW adam({p}, {.nonfinite = NonFinite::unchecked, .moments = moments});
        // The range of the elements that are NaN.
        const auto spoilt = [&] {
          const auto values = p.value().values<float>();
          std::vector<std::int64_t> at;
          for (std::int64_t i = 0; i < n; ++i) {
            if (std::isnan(values[static_cast<std::size_t>(i)])) at.push_back(i);
          }
          REQUIRE(!at.empty());
          CHECK(at.back() - at.front() + 1 == std::ssize(at));
          return std::pair(at.front(), at.back());
        };
        Tensor g = full({n}, 0.1f);
        g.mutable_data<float>()[bad] = value;
        p.set_gradient(g);
        adam.step();
        CHECK(spoilt() == std::pair(bad, bad));
        for (int step = 0; step < 3; ++step) {
          p.set_gradient(full({n}, 0.1f));
          adam.step();
          CHECK(spoilt() == (moments == Moments::bits8 ? std::pair<std::int64_t, std::int64_t>(256, 511)
                                                       : std::pair<std::int64_t, std::int64_t>(bad, bad)));
        }
      }
    }
  }
}

TEST_CASE("options that cannot be combined with narrow moments throw") {
  Parameter p(zeros({3}), Role::weight);
  CHECK_THROWS_WITH_AS(Adam({p}, {.amsgrad = true, .moments = Moments::bf16}),
                       "Adam: moments in fewer bits go with neither amsgrad nor another rounding", ValueError);
}
