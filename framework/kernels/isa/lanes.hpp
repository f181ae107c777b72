#pragma once

// What instruction sets without masks and without a power of two do, for their vectors.hpp.

#include <cstdint>

#include "framework/core/bfloat16.hpp"
#include "framework/kernels/isa/xsimd.hpp"

namespace temper::kernels::TEMPER_ISA {

using Index = std::int64_t;

/// A vector of the first `count` elements; the other lanes hold `fill`.
template <class V>
static inline V load_lanes(const float* p, Index count, float fill) {
  alignas(64) float lanes[V::size];
  for (Index i = 0; i < static_cast<Index>(V::size); ++i) lanes[i] = i < count ? p[i] : fill;
  return V::load_aligned(lanes);
}
template <class V>
static inline V load_lanes(const BFloat16* p, Index count, float fill) {
  alignas(64) float lanes[V::size];
  for (Index i = 0; i < static_cast<Index>(V::size); ++i) {
    const std::uint32_t bits = i < count ? std::uint32_t{p[i].bits} << 16 : 0;
    __builtin_memcpy(lanes + i, &bits, sizeof bits);
    if (i >= count) lanes[i] = fill;
  }
  return V::load_aligned(lanes);
}
template <class V>
static inline void store_lanes(float* p, V v, Index count) {
  alignas(64) float lanes[V::size];
  v.store_aligned(lanes);
  for (Index i = 0; i < count; ++i) p[i] = lanes[i];
}

/// 2^n p for whole n from -126 to 128; the low bits of `shifted` are n. Multiplies twice, as 2^128 is not a float.
template <class V>
static inline V times_power(V p, V shifted) {
  using Whole = xsimd::batch<std::int32_t, typename V::arch_type>;
  const auto power = [](Whole exponent) { return bits_as<V>((exponent + Whole(127)) << 23); };
  const Whole whole = bits_as<Whole>(shifted) - Whole(0x4b400000), half = whole >> 1;
  return p * power(half) * power(whole - half);
}

}  // namespace temper::kernels::TEMPER_ISA
