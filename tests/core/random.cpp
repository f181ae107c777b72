#include <doctest/doctest.h>

#include <cmath>
#include <set>
#include <vector>

#include <temper/core/parallel.hpp>
#include <temper/core/random.hpp>
#include <temper/tensor/tensor.hpp>

using namespace temper;
using detail::RandomStream;
using detail::RandomUse;

TEST_CASE("equal keys give equal numbers, different keys different numbers") {
  const RandomStream stream(1, RandomUse::dropout, 2, 3);
  CHECK(stream(5) == RandomStream(1, RandomUse::dropout, 2, 3)(5));
  std::set<std::array<std::uint32_t, 4>> seen;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    for (const RandomUse use : {RandomUse::draw, RandomUse::dropout, RandomUse::shuffle}) {
      for (std::uint64_t a = 0; a < 4; ++a) {
        for (std::uint64_t b = 0; b < 4; ++b) {
          for (std::uint64_t counter = 0; counter < 4; ++counter) seen.insert(RandomStream(seed, use, a, b)(counter));
        }
      }
    }
  }
  CHECK(seen.size() == 4 * 3 * 4 * 4 * 4);
}

TEST_CASE("numbers are uniform, normal and unbiased") {
  const RandomStream stream(7, RandomUse::draw, 0);
  const int n = 200000;
  double sum = 0, squares = 0, normal = 0, normal_squares = 0;
  std::vector<int> below(10);
  for (std::uint64_t i = 0; i < n; ++i) {
    const double u = stream.uniform(i), z = stream.normal(i);
    REQUIRE((u >= 0.0 && u < 1.0));
    sum += u, squares += u * u, normal += z, normal_squares += z * z;
    ++below[stream.below(10, i)];
  }
  // Five standard errors.
  CHECK(std::abs(sum / n - 0.5) < 5 * std::sqrt(1.0 / 12 / n));
  CHECK(std::abs(squares / n - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / n));
  CHECK(std::abs(normal / n) < 5 / std::sqrt(n));
  CHECK(std::abs(normal_squares / n - 1) < 5 * std::sqrt(2.0 / n));
  for (const int count : below) CHECK(std::abs(count - n / 10) < 5 * std::sqrt(n * 0.09));
}

TEST_CASE("random tensors depend on the seed and the draw, not on the threads") {
  const int before = threads();
  manual_seed(3);
  const Tensor first = uniform({100000}), second = uniform({100000});
  set_threads(3);
  manual_seed(3);
  const Tensor again = uniform({100000});
  set_threads(before);
  CHECK(std::ranges::equal(first.values<float>(), again.values<float>()));
  CHECK_FALSE(std::ranges::equal(first.values<float>(), second.values<float>()));
  manual_seed(4);
  CHECK_FALSE(std::ranges::equal(first.values<float>(), uniform({100000}).values<float>()));
  const Tensor wide = uniform({100000}, -2.0f, 3.0f);
  for (const float value : wide.values<float>()) REQUIRE((value >= -2.0f && value < 3.0f));
}

TEST_CASE("the state can be saved and restored") {
  manual_seed(9);
  uniform({3});
  const RandomState state = random_state();
  const Tensor a = normal({50});
  set_random_state(state);
  const Tensor b = normal({50});
  CHECK(std::ranges::equal(a.values<float>(), b.values<float>()));
  CHECK(state == RandomState{.seed = 9, .draws = 1, .tapes = 0});
}
