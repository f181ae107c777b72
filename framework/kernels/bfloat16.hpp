#pragma once

// Conversion of single elements of either storage type to and from float.

#include <bit>
#include <cstdint>

#include "framework/core/bfloat16.hpp"

namespace temper::kernels {

inline float widened(float x) { return x; }
inline float widened(BFloat16 x) { return std::bit_cast<float>(std::uint32_t{x.bits} << 16); }

/// To the nearest number, ties to even; NaN stays NaN.
template <class T>
T narrowed(float x);
template <>
inline float narrowed<float>(float x) {
  return x;
}
template <>
inline BFloat16 narrowed<BFloat16>(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (x != x) return {static_cast<std::uint16_t>(bits >> 16 | 0x40)};
  return {static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
}

}  // namespace temper::kernels
