#pragma once

// What the tests of the oneDNN kernels share: random numbers, sums in double with the sum of the absolute terms, and
// the bound within which an f32 result must agree with them.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <span>
#include <string>
#include <vector>

#include <temper/core/parallel.hpp>

#include "isa.hpp"

namespace reference {

using Index = std::int64_t;
using Floats = std::vector<float>;

/// One generator per test, seeded by it.
class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  Floats floats(Index count) {
    Floats values(static_cast<std::size_t>(count));
    for (float& value : values) value = std::uniform_real_distribution<float>(-1.0f, 1.0f)(engine_);
    return values;
  }
  Index between(Index low, Index high) { return std::uniform_int_distribution<Index>(low, high)(engine_); }
  template <class T>
  T one_of(std::initializer_list<T> values) {
    return values.begin()[between(0, static_cast<Index>(values.size()) - 1)];
  }

 private:
  std::mt19937 engine_;
};

/// A sum with the sum of its absolute terms. Rounding errors are relative to the latter: a sum that cancels has a small
/// value, but no smaller errors.
struct Sum {
  double value = 0;
  double size = 0;
  Index terms = 0;
  void add(double term) {
    value += term;
    size += std::abs(term);
    ++terms;
  }
};
using Sums = std::vector<Sum>;

/// The largest error of `values` relative to the bound: at most 1 if all are right.
inline double worst(std::span<const float> values, const Sums& expected) {
  REQUIRE(values.size() == expected.size());
  double result = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Sum& sum = expected[i];
    const double allowed = 5e-6 * std::max(1.0, std::sqrt(static_cast<double>(sum.terms) / 512)) * sum.size;
    const double error = std::abs(values[i] - sum.value);
    if (std::isnan(error)) return 1e30;
    if (error > 0) result = std::max(result, allowed > 0 ? error / allowed : 1e30);
  }
  return result;
}

/// An output for a kernel, with guard elements around it.
using Guarded = temper::kernels::test::Guarded<float>;

/// The output. Fails the test if the kernel wrote to a guard.
inline Floats written(const Guarded& numbers) {
  CHECK(numbers.intact());
  return Floats(numbers.data(), numbers.data() + numbers.size());
}

/// The number of random shapes to test: 1,000 over all operations, or TEMPER_RANDOM_SHAPES.
inline int random_shapes(double share) {
  const char* wanted = std::getenv("TEMPER_RANDOM_SHAPES");
  return static_cast<int>(share * (wanted != nullptr ? std::atof(wanted) : 1000.0));
}

/// Sets the number of threads for one scope.
class Threads {
 public:
  explicit Threads(int count) : before_(temper::threads()) { temper::set_threads(count); }
  ~Threads() { temper::set_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

}  // namespace reference
