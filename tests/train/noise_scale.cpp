#include <temper/train/noise_scale.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

using namespace temper;

TEST_CASE("the gradient noise scale from exact expectations is exact") {
  // |G|^2 = 3 and tr(S) = 60, so that batches of 4 and 32 have |g|^2 = 3 + 60/4 and 3 + 60/32.
  NoiseScale noise;
  CHECK(!noise.value());
  CHECK(!noise.squared_norm());
  for (int i = 0; i < 3; ++i) noise.add(18, 4, 4.875, 32);
  CHECK(*noise.squared_norm() == doctest::Approx(3));
  CHECK(*noise.variance() == doctest::Approx(60));
  CHECK(*noise.value() == doctest::Approx(20));
}

TEST_CASE("the estimates are unbiased where the small batch is a part of the large one") {
  // Gradients of single examples: G = (1, 1, 1, 1) with normal noise of deviation 3, so tr(S) = 36 and |G|^2 = 4.
  std::mt19937_64 engine(1);
  std::normal_distribution<double> normal;
  constexpr int updates = 20'000, dimensions = 4, small = 4, large = 16;
  NoiseScale noise(0.9999);
  for (int update = 0; update < updates; ++update) {
    double first = 0, all = 0;
    for (int d = 0; d < dimensions; ++d) {
      double sum = 0;
      for (int i = 0; i < large; ++i) {
        sum += 1 + 3 * normal(engine);
        if (i == small - 1) first += sum * sum / (small * small);
      }
      all += sum * sum / (large * large);
    }
    noise.add(first, small, all, large);
  }
  // Three standard errors of 20,000 updates.
  CHECK(std::abs(*noise.squared_norm() - 4) < 3 * 0.035);
  CHECK(std::abs(*noise.variance() - 36) < 3 * 0.35);
  CHECK(*noise.value() == doctest::Approx(9).epsilon(0.05));
}

TEST_CASE("the noise scale forgets, and goes on from a state") {
  NoiseScale noise(0.5), other(0.5);
  noise.add(18, 4, 4.875, 32);
  noise.add(10, 4, 10, 32);  // no noise at all: |G|^2 = 10, tr(S) = 0
  CHECK(*noise.squared_norm() == doctest::Approx((0.5 * 3 + 10) / 1.5));
  CHECK(*noise.variance() == doctest::Approx(0.5 * 60 / 1.5));
  other.restore(noise.state());
  other.add(18, 4, 4.875, 32);
  noise.add(18, 4, 4.875, 32);
  CHECK(*other.value() == *noise.value());
}

TEST_CASE("no noise scale is better than a negative one") {
  NoiseScale noise;
  noise.add(18, 4, 1, 32);  // |G|^2 = (32 - 72) / 28
  CHECK(*noise.squared_norm() < 0);
  CHECK(!noise.value());
}

TEST_CASE("squares of gradients are added over all parameters that have one") {
  Parameter a(full({3, 5}, 2.0f), Role::weight), b(full({9}, 1.0f), Role::bias), c(full({2}, 1.0f), Role::bias);
  CHECK(gradient_squares({a, b, c}) == 0);
  Tape tape;
  tape.backward(sum(a * a) + sum(b) * 3.0f);
  CHECK(gradient_squares({a, b, c}) == doctest::Approx(15 * 16 + 9 * 9));
}

TEST_CASE("bad arguments of a noise scale throw") {
  CHECK_THROWS_WITH_AS(NoiseScale(1), "NoiseScale: the averages decay by 1, expected a number from 0 to below 1", ValueError);
  NoiseScale noise;
  CHECK_THROWS_WITH_AS(noise.add(1, 8, 1, 8), "NoiseScale: batches of 8 and 8 examples, expected a small and a larger one",
                       ValueError);
  CHECK_THROWS_AS(noise.add(1, 0, 1, 8), ValueError);
  CHECK_THROWS_AS(noise.add(-1, 4, 1, 8), ValueError);
  CHECK_THROWS_AS(noise.add(1, 4, NAN, 8), ValueError);
  CHECK(noise.state().weight == 0);
}
