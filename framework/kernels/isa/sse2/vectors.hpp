#pragma once

// The vector operations of SSE2.

#include "framework/kernels/isa/x86.hpp"

namespace temper::kernels::TEMPER_ISA {

using Arch = xsimd::sse2;
using Vec = xsimd::batch<float, Arch>;
using Int = xsimd::batch<std::int32_t, Arch>;
using Words = xsimd::batch<std::uint32_t, Arch>;
using Double = xsimd::batch<double, Arch>;

/// a * b + c and c - a * b, rounded twice.
static inline Vec multiply_add(Vec a, Vec b, Vec c) { return a * b + c; }
static inline Vec subtract_product(Vec c, Vec a, Vec b) { return c - a * b; }
/// a > b ? a : b and a < b ? a : b, so b where either is NaN.
static inline Vec max_or_second(Vec a, Vec b) { return _mm_max_ps(a, b); }
static inline Vec min_or_second(Vec a, Vec b) { return _mm_min_ps(a, b); }
/// Of lanes of which none is NaN.
static inline float largest_lane(Vec v) {
  alignas(16) float lanes[4];
  v.store_aligned(lanes);
  return largest_of(lanes, 4);
}
/// 2^n p for whole n from -126 to 128; the low bits of `shifted` are n.
static inline Vec scaled_by_power(Vec p, Vec, Vec shifted) { return times_power(p, shifted); }

// Floats.

static inline Vec load_part(const float* p, Index count, float fill = 0.0f) { return load_lanes<Vec>(p, count, fill); }
static inline void store_part(float* p, Vec v, Index count) { store_lanes(p, v, count); }

// bf16.

static inline Vec load(const BFloat16* p) {
  return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), _mm_loadl_epi64((const __m128i*)p)));
}
static inline Vec load_part(const BFloat16* p, Index count, float fill = 0.0f) {
  return load_lanes<Vec>(p, count, fill);
}
static inline void store(BFloat16* p, Vec v) {
  const __m128i bits = _mm_castps_si128(v), upper = _mm_srli_epi32(bits, 16);
  const __m128i even = _mm_and_si128(upper, _mm_set1_epi32(1));
  const __m128i nearest = _mm_add_epi32(bits, _mm_add_epi32(even, _mm_set1_epi32(0x7fff)));
  const __m128i quiet = _mm_or_si128(bits, _mm_set1_epi32(0x400000));
  const __m128i nan = _mm_castps_si128(_mm_cmpunord_ps(v, v));
  const __m128i chosen = _mm_or_si128(_mm_and_si128(nan, quiet), _mm_andnot_si128(nan, nearest));
  const __m128i both = _mm_srai_epi32(chosen, 16);
  _mm_storel_epi64((__m128i*)p, _mm_packs_epi32(both, both));
}
static inline void store_part(BFloat16* p, Vec v, Index count) {
  alignas(16) BFloat16 lanes[4];
  store(lanes, v);
  for (Index i = 0; i < count; ++i) p[i] = lanes[i];
}

// Whole numbers from 0 to 255, stored as bytes.

static inline Vec load(const std::uint8_t* p) {
  int bytes;
  __builtin_memcpy(&bytes, p, sizeof bytes);
  const __m128i zero = _mm_setzero_si128(), words = _mm_unpacklo_epi8(_mm_cvtsi32_si128(bytes), zero);
  return _mm_cvtepi32_ps(_mm_unpacklo_epi16(words, zero));
}
static inline void store(std::uint8_t* p, Vec v) {
  const __m128i numbers = _mm_cvtps_epi32(v), words = _mm_packs_epi32(numbers, numbers);
  const int bytes = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
  __builtin_memcpy(p, &bytes, sizeof bytes);
}

// Bits.

/// Logical shifts.
static inline Int shift_right(Int x, int count) { return _mm_srli_epi32(x, count); }
static inline Int shift_left(Int x, int count) { return _mm_slli_epi32(x, count); }
/// The low 32 bits of the product.
static inline Int times(Int a, std::uint32_t b) {
  const __m128i f = _mm_set1_epi32(static_cast<int>(b));
  const __m128i even = _mm_mul_epu32(a, f), odd = _mm_mul_epu32(_mm_srli_si128(a, 4), f);
  return _mm_unpacklo_epi32(_mm_shuffle_epi32(even, 0x08), _mm_shuffle_epi32(odd, 0x08));
}
/// The upper and lower halves of m * x, lane by lane.
static inline void multiply(std::uint32_t m, Words x, Words& high, Words& low) {
  const __m128i factor = _mm_set1_epi32(static_cast<int>(m)), odd_lanes = _mm_set_epi32(-1, 0, -1, 0);
  const __m128i even = _mm_mul_epu32(factor, x), odd = _mm_mul_epu32(factor, _mm_srli_epi64(x, 32));
  const auto interleaved = [=](__m128i a, __m128i b) {
    return _mm_or_si128(_mm_andnot_si128(odd_lanes, a), _mm_and_si128(odd_lanes, b));
  };
  high = interleaved(_mm_srli_epi64(even, 32), odd);
  low = interleaved(even, _mm_slli_epi64(odd, 32));
}
/// Of numbers that are not negative.
static inline std::int32_t largest_lane(Int x) {
  alignas(16) std::int32_t lanes[4];
  x.store_aligned(lanes);
  std::int32_t result = lanes[0];
  for (const std::int32_t lane : lanes) result = lane > result ? lane : result;
  return result;
}

static inline Int load_u16(const std::uint16_t* p) {
  return _mm_unpacklo_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)), _mm_setzero_si128());
}
/// Stores numbers in [0, 2^16).
static inline void store_u16(std::uint16_t* p, Int x) {
  // SSE2 packs with signed saturation only: sign-extend first, so that nothing saturates.
  const __m128i extended = _mm_srai_epi32(_mm_slli_epi32(x, 16), 16);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi32(extended, extended));
}
/// Loads bytes into the highest byte of each 32-bit number; the others are zero.
static inline Int load_u8_high(const std::uint8_t* p) {
  std::int32_t four;
  __builtin_memcpy(&four, p, 4);
  const __m128i zero = _mm_setzero_si128();
  return _mm_unpacklo_epi16(zero, _mm_unpacklo_epi8(zero, _mm_cvtsi32_si128(four)));
}
/// Stores the lowest 8 bits of each number.
static inline void store_u8(std::uint8_t* p, Int x) {
  const __m128i bytes = _mm_and_si128(x, _mm_set1_epi32(0xff)), words = _mm_packs_epi32(bytes, bytes);
  const std::int32_t four = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
  __builtin_memcpy(p, &four, 4);
}

// Doubles.

/// The lower and the upper half in double.
struct Halves {
  Double low, high;
};
static inline Halves widen(Vec x) { return {Double(_mm_cvtps_pd(x)), Double(_mm_cvtps_pd(_mm_movehl_ps(x, x)))}; }

}  // namespace temper::kernels::TEMPER_ISA
