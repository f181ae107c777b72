#pragma once

// The vector operations of AVX-512 (F, CD, VL, DQ, BW).

#include "framework/kernels/isa/x86.hpp"

namespace temper::kernels::TEMPER_ISA {

using Arch = xsimd::avx512bw;
using Vec = xsimd::batch<float, Arch>;
using Int = xsimd::batch<std::int32_t, Arch>;
using Words = xsimd::batch<std::uint32_t, Arch>;
using Double = xsimd::batch<double, Arch>;

/// a * b + c and c - a * b, rounded once. xsimd 8 rounds twice.
static inline Vec multiply_add(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
static inline Vec subtract_product(Vec c, Vec a, Vec b) { return _mm512_fnmadd_ps(a, b, c); }
/// a > b ? a : b and a < b ? a : b, so b where either is NaN.
static inline Vec max_or_second(Vec a, Vec b) { return _mm512_max_ps(a, b); }
static inline Vec min_or_second(Vec a, Vec b) { return _mm512_min_ps(a, b); }
/// Of lanes of which none is NaN.
static inline float largest_lane(Vec v) {
  alignas(64) float lanes[16];
  v.store_aligned(lanes);
  return largest_of(lanes, 16);
}
/// 2^n p for whole n from -126 to 128; the low bits of `shifted` are n.
static inline Vec scaled_by_power(Vec p, Vec n, Vec) { return _mm512_scalef_ps(p, n); }

// Floats.

static inline __mmask16 first_lanes(Index count) { return static_cast<__mmask16>((1u << count) - 1); }
static inline Vec load_part(const float* p, Index count, float fill = 0.0f) {
  return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), first_lanes(count), p);
}
static inline void store_part(float* p, Vec v, Index count) { _mm512_mask_storeu_ps(p, first_lanes(count), v); }

// bf16.

static inline Vec load(const BFloat16* p) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16));
}
static inline Vec load_part(const BFloat16* p, Index count, float fill = 0.0f) {
  const __mmask16 mask = first_lanes(count);
  const __m512i words = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, p)), 16);
  return _mm512_mask_blend_ps(mask, _mm512_set1_ps(fill), _mm512_castsi512_ps(words));
}
static inline __m256i rounded(Vec v) {
  const __m512i bits = _mm512_castps_si512(v), upper = _mm512_srli_epi32(bits, 16);
  const __m512i even = _mm512_and_si512(upper, _mm512_set1_epi32(1));
  const __m512i nearest =
      _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7fff))), 16);
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(nearest, nan, upper, _mm512_set1_epi32(0x40)));
}
static inline void store(BFloat16* p, Vec v) { _mm256_storeu_si256((__m256i*)p, rounded(v)); }
static inline void store_part(BFloat16* p, Vec v, Index count) {
  _mm256_mask_storeu_epi16(p, first_lanes(count), rounded(v));
}

// Whole numbers from 0 to 255, stored as bytes.

static inline Vec load(const std::uint8_t* p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
}
static inline void store(std::uint8_t* p, Vec v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
}

// Bits.

/// Logical shifts.
static inline Int shift_right(Int x, int count) { return _mm512_srli_epi32(x, static_cast<unsigned>(count)); }
static inline Int shift_left(Int x, int count) { return _mm512_slli_epi32(x, static_cast<unsigned>(count)); }
/// The low 32 bits of the product.
static inline Int times(Int a, std::uint32_t b) {
  return _mm512_mullo_epi32(a, _mm512_set1_epi32(static_cast<int>(b)));
}
/// The upper and lower halves of m * x, lane by lane.
static inline void multiply(std::uint32_t m, Words x, Words& high, Words& low) {
  const __m512i factor = _mm512_set1_epi32(static_cast<int>(m));
  const __m512i even = _mm512_mul_epu32(factor, x), odd = _mm512_mul_epu32(factor, _mm512_srli_epi64(x, 32));
  high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
  low = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
}
/// Of numbers that are not negative.
static inline std::int32_t largest_lane(Int x) { return _mm512_reduce_max_epi32(x); }

static inline Int load_u16(const std::uint16_t* p) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
/// Stores numbers in [0, 2^16).
static inline void store_u16(std::uint16_t* p, Int x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(x));
}
/// Loads bytes into the highest byte of each 32-bit number; the others are zero.
static inline Int load_u8_high(const std::uint8_t* p) {
  const __m512i bytes = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  // Moves byte i to the highest byte of number i. An index with its highest bit set gives zero.
  const __m512i to =
      _mm512_set_epi32(0x0f808080, 0x0e808080, 0x0d808080, 0x0c808080, 0x0b808080, 0x0a808080, 0x09808080, 0x08808080,
                       0x07808080, 0x06808080, 0x05808080, 0x04808080, 0x03808080, 0x02808080, 0x01808080, 0x00808080);
  return _mm512_shuffle_epi8(bytes, to);
}
/// Stores the lowest 8 bits of each number.
static inline void store_u8(std::uint8_t* p, Int x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x));
}

// Doubles.

/// The lower and the upper half in double.
struct Halves {
  Double low, high;
};
static inline Halves widen(Vec x) {
  return {Double(_mm512_cvtps_pd(_mm512_castps512_ps256(x))), Double(_mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)))};
}

}  // namespace temper::kernels::TEMPER_ISA
