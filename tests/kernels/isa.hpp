#pragma once

// What the tests of the per-instruction-set kernels share. Each kernel is compared with a reference in double, at sizes
// 0 to 70, on every instruction set of this CPU and with guarded memory. An element's bits must not depend on its
// index.

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "framework/kernels/isa.hpp"

namespace temper::kernels::test {

inline constexpr Index longest = 70;
inline constexpr float infinity = std::numeric_limits<float>::infinity();
inline constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// Calls body(table) for every supported instruction set.
template <class Body>
void on_each_isa(Body body) {
  for (const Isa isa : supported_isas()) {
    CAPTURE(to_string(isa));
    body(table(isa));
  }
}

/// n elements between guard elements. A read guard gives NaN or an extreme number, and a write to one is detected.
template <class T>
class Guarded {
 public:
  explicit Guarded(Index n, T value = T{}) : memory_(static_cast<std::size_t>(n) + 2 * guard, guard_value()) {
    std::fill_n(data(), n, value);
  }
  explicit Guarded(const std::vector<T>& values) : Guarded(static_cast<Index>(values.size())) {
    std::copy(values.begin(), values.end(), data());
  }
  T* data() { return memory_.data() + guard; }
  const T* data() const { return memory_.data() + guard; }
  Index size() const { return static_cast<Index>(memory_.size() - 2 * guard); }
  T operator[](Index i) const { return data()[i]; }
  bool intact() const {
    for (std::size_t i = 0; i < guard; ++i) {
      if (!same(memory_[i], guard_value()) || !same(memory_[memory_.size() - 1 - i], guard_value())) return false;
    }
    return true;
  }

 private:
  // Odd, so that the elements are not aligned to vectors; bytes may hold floats, which are aligned to themselves.
  static constexpr std::size_t guard = sizeof(T) == 1 ? 68 : 67;
  static T guard_value() {
    if constexpr (std::is_same_v<T, float>) return nan;
    if constexpr (std::is_same_v<T, BFloat16>) return {0x7fff};  // NaN
    if constexpr (!std::is_same_v<T, float> && !std::is_same_v<T, BFloat16>) return T(77);
  }
  static bool same(T a, T b) {
    if constexpr (std::is_same_v<T, BFloat16>) return a.bits == b.bits;
    if constexpr (!std::is_same_v<T, BFloat16>) return a == b || (a != a && b != b);
  }

  std::vector<T> memory_;
};

using Floats = Guarded<float>;

/// Reproducible random numbers of both signs.
inline std::vector<float> numbers(Index n, unsigned seed, float scale = 1.0f) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0f, scale);
  std::vector<float> result(static_cast<std::size_t>(n));
  for (float& value : result) value = normal(engine);
  return result;
}

/// The same with special values among them: zeros, infinities, NaN, denormals and extreme numbers.
inline std::vector<float> special_numbers(Index n, unsigned seed) {
  constexpr float special[] = {nan,   0.0f,  -0.0f,  infinity, -infinity, 1e-40f, -1e-40f, 3e38f, -3e38f, 1e4f,
                               -1e4f, 88.7f, -87.3f, 100.0f,   -100.0f,   20.0f,  -20.0f,  1.0f,  -1.0f};
  std::vector<float> result = numbers(n, seed, 2.0f);
  for (std::size_t i = 0; i < result.size(); i += 2) result[i] = special[i / 2 % std::size(special)];
  return result;
}

/// Equal as numbers, both NaN, or off by no more than the tolerance times max(1, |expected|).
inline bool close(float got, double expected, double tolerance = 5e-7) {
  const float rounded = static_cast<float>(expected);
  if (std::isnan(rounded)) return std::isnan(got);
  if (got == rounded) return true;
  return std::abs(static_cast<double>(got) - expected) <= tolerance * std::max(1.0, std::abs(expected));
}

/// Equal bits, or both NaN.
inline bool same_bits(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

/// Compares an elementwise kernel run(first, n, out), which computes n elements from `first` on, with expected(i): for
/// every size, every start, and every element alone.
template <class Run, class Expected>
void check_elementwise(Run run, Expected expected, double tolerance = 5e-7) {
  Floats whole(longest);
  run(Index{0}, longest, whole.data());
  for (Index i = 0; i < longest; ++i) {
    CAPTURE(i);
    CAPTURE(whole[i]);
    CAPTURE(expected(i));
    CHECK(close(whole[i], expected(i), tolerance));
  }
  bool intact = whole.intact(), equal = true;
  for (Index first = 0; first < 20; ++first) {
    for (Index n = 0; n <= longest - first; ++n) {
      if (first > 0 && n > 20) break;
      Floats part(n);
      run(first, n, part.data());
      intact = intact && part.intact();
      for (Index i = 0; i < n; ++i) equal = equal && same_bits(part[i], whole[first + i]);
    }
  }
  CHECK(intact);
  CHECK(equal);
}

}  // namespace temper::kernels::test
