#pragma once

// The vector operations of AVX2 with FMA and F16C.

#include "framework/kernels/isa/x86.hpp"

namespace temper::kernels::TEMPER_ISA {

using Arch = xsimd::fma3<xsimd::avx2>;
using Vec = xsimd::batch<float, Arch>;
using Int = xsimd::batch<std::int32_t, Arch>;
using Words = xsimd::batch<std::uint32_t, Arch>;
using Double = xsimd::batch<double, Arch>;

/// a * b + c and c - a * b, rounded once.
static inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
static inline Vec subtract_product(Vec c, Vec a, Vec b) { return _mm256_fnmadd_ps(a, b, c); }
/// a > b ? a : b and a < b ? a : b, so b where either is NaN.
static inline Vec max_or_second(Vec a, Vec b) { return _mm256_max_ps(a, b); }
static inline Vec min_or_second(Vec a, Vec b) { return _mm256_min_ps(a, b); }
/// Of lanes of which none is NaN.
static inline float largest_lane(Vec v) {
  alignas(32) float lanes[8];
  v.store_aligned(lanes);
  return largest_of(lanes, 8);
}
/// 2^n p for whole n from -126 to 128; the low bits of `shifted` are n.
static inline Vec scaled_by_power(Vec p, Vec, Vec shifted) { return times_power(p, shifted); }

// Floats.

static inline __m256i first_lanes(Index count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
static inline Vec load_part(const float* p, Index count, float fill = 0.0f) {
  const __m256i mask = first_lanes(count);
  return _mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
}
static inline void store_part(float* p, Vec v, Index count) { _mm256_maskstore_ps(p, first_lanes(count), v); }

// bf16.

static inline Vec load(const BFloat16* p) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16));
}
static inline Vec load_part(const BFloat16* p, Index count, float fill = 0.0f) {
  return load_lanes<Vec>(p, count, fill);
}
static inline void store(BFloat16* p, Vec v) {
  const __m256i bits = _mm256_castps_si256(v), upper = _mm256_srli_epi32(bits, 16);
  const __m256i even = _mm256_and_si256(upper, _mm256_set1_epi32(1));
  const __m256i nearest = _mm256_add_epi32(bits, _mm256_add_epi32(even, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  const __m256i both = _mm256_srai_epi32(_mm256_blendv_epi8(nearest, quiet, nan), 16);
  _mm_storeu_si128((__m128i*)p, _mm_packs_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1)));
}
static inline void store_part(BFloat16* p, Vec v, Index count) {
  alignas(16) BFloat16 lanes[8];
  store(lanes, v);
  for (Index i = 0; i < count; ++i) p[i] = lanes[i];
}

// Whole numbers from 0 to 255, stored as bytes.

static inline Vec load(const std::uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
static inline void store(std::uint8_t* p, Vec v) {
  const __m256i numbers = _mm256_cvtps_epi32(v);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(numbers), _mm256_extracti128_si256(numbers, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}

// Bits.

/// Logical shifts.
static inline Int shift_right(Int x, int count) { return _mm256_srli_epi32(x, count); }
static inline Int shift_left(Int x, int count) { return _mm256_slli_epi32(x, count); }
/// The low 32 bits of the product.
static inline Int times(Int a, std::uint32_t b) {
  return _mm256_mullo_epi32(a, _mm256_set1_epi32(static_cast<int>(b)));
}
/// The upper and lower halves of m * x, lane by lane.
static inline void multiply(std::uint32_t m, Words x, Words& high, Words& low) {
  const __m256i factor = _mm256_set1_epi32(static_cast<int>(m));
  const __m256i even = _mm256_mul_epu32(factor, x), odd = _mm256_mul_epu32(factor, _mm256_srli_epi64(x, 32));
  high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
  low = _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xaa);
}
/// Of numbers that are not negative.
static inline std::int32_t largest_lane(Int x) {
  alignas(32) std::int32_t lanes[8];
  x.store_aligned(lanes);
  std::int32_t result = lanes[0];
  for (const std::int32_t lane : lanes) result = lane > result ? lane : result;
  return result;
}

static inline Int load_u16(const std::uint16_t* p) {
  return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
/// Stores numbers in [0, 2^16).
static inline void store_u16(std::uint16_t* p, Int x) {
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
}
/// Loads bytes into the highest byte of each 32-bit number; the others are zero.
static inline Int load_u8_high(const std::uint8_t* p) {
  return shift_left(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))), 24);
}
/// Stores the lowest 8 bits of each number.
static inline void store_u8(std::uint8_t* p, Int x) {
  const __m256i bytes = _mm256_and_si256(x, _mm256_set1_epi32(0xff));
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
}

// Doubles.

/// The lower and the upper half in double.
struct Halves {
  Double low, high;
};
static inline Halves widen(Vec x) {
  return {Double(_mm256_cvtps_pd(_mm256_castps256_ps128(x))), Double(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)))};
}

}  // namespace temper::kernels::TEMPER_ISA
