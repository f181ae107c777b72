#pragma once

// Loads and stores that convert between 8- or 16-bit numbers and vectors of 32-bit integers; random bits for rounding.

#include <bit>

#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

using Int = xsimd::batch<std::int32_t, Arch>;
static_assert(Int::size == Vec::size);

static inline Int bits_of(Vec x) { return bits_as<Int>(x); }
static inline Vec float_of(Int x) { return bits_as<Vec>(x); }
/// Logical shifts.
static inline Int shift_right(Int x, int count) {
#if defined(TEMPER_ISA_avx512)
  return Int(_mm512_srli_epi32(x, static_cast<unsigned>(count)));
#elif defined(TEMPER_ISA_avx2)
  return Int(_mm256_srli_epi32(x, count));
#else
  return Int(_mm_srli_epi32(x, count));
#endif
}
static inline Int shift_left(Int x, int count) {
#if defined(TEMPER_ISA_avx512)
  return Int(_mm512_slli_epi32(x, static_cast<unsigned>(count)));
#elif defined(TEMPER_ISA_avx2)
  return Int(_mm256_slli_epi32(x, count));
#else
  return Int(_mm_slli_epi32(x, count));
#endif
}
/// The low 32 bits of the product.
static inline Int times(Int a, std::uint32_t b) {
  const int factor = static_cast<int>(b);
#if defined(TEMPER_ISA_avx512)
  return Int(_mm512_mullo_epi32(a, _mm512_set1_epi32(factor)));
#elif defined(TEMPER_ISA_avx2)
  return Int(_mm256_mullo_epi32(a, _mm256_set1_epi32(factor)));
#else
  const __m128i f = _mm_set1_epi32(factor);
  const __m128i even = _mm_mul_epu32(a, f), odd = _mm_mul_epu32(_mm_srli_si128(a, 4), f);
  return Int(_mm_unpacklo_epi32(_mm_shuffle_epi32(even, 0x08), _mm_shuffle_epi32(odd, 0x08)));
#endif
}

static inline Int load_u16(const std::uint16_t* p) {
#if defined(TEMPER_ISA_avx512)
  return Int(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
#elif defined(TEMPER_ISA_avx2)
  return Int(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
#else
  return Int(_mm_unpacklo_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)), _mm_setzero_si128()));
#endif
}
/// Stores numbers in [0, 2^16).
static inline void store_u16(std::uint16_t* p, Int x) {
#if defined(TEMPER_ISA_avx512)
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(x));
#elif defined(TEMPER_ISA_avx2)
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(x, x), 0x08);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
#else
  // SSE2 packs with signed saturation only: sign-extend first, so that nothing saturates.
  const __m128i extended = _mm_srai_epi32(_mm_slli_epi32(x, 16), 16);
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi32(extended, extended));
#endif
}

/// Loads bytes into the highest byte of each 32-bit number; the others are zero.
static inline Int load_u8_high(const std::uint8_t* p) {
#if defined(TEMPER_ISA_avx512)
  const __m512i bytes = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  // Moves byte i to the highest byte of number i. An index with its highest bit set gives zero.
  const __m512i to =
      _mm512_set_epi32(0x0f808080, 0x0e808080, 0x0d808080, 0x0c808080, 0x0b808080, 0x0a808080, 0x09808080, 0x08808080,
                       0x07808080, 0x06808080, 0x05808080, 0x04808080, 0x03808080, 0x02808080, 0x01808080, 0x00808080);
  return Int(_mm512_shuffle_epi8(bytes, to));
#elif defined(TEMPER_ISA_avx2)
  return shift_left(Int(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))), 24);
#else
  std::int32_t four;
  __builtin_memcpy(&four, p, 4);
  const __m128i zero = _mm_setzero_si128();
  return Int(_mm_unpacklo_epi16(zero, _mm_unpacklo_epi8(zero, _mm_cvtsi32_si128(four))));
#endif
}
/// Stores the lowest 8 bits of each number.
static inline void store_u8(std::uint8_t* p, Int x) {
#if defined(TEMPER_ISA_avx512)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x));
#elif defined(TEMPER_ISA_avx2)
  x = x & Int(0xff);
  const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
#else
  x = x & Int(0xff);
  const __m128i words = _mm_packs_epi32(x, x);
  const std::int32_t four = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
  __builtin_memcpy(p, &four, 4);
#endif
}

/// The largest of the non-negative floats whose bits are given. Compared as integers, NaN is the largest.
static inline float largest_lane(Int x) {
#if defined(TEMPER_ISA_avx512)
  return std::bit_cast<float>(_mm512_reduce_max_epi32(x));
#else
  alignas(64) std::int32_t lanes[width];
  x.store_aligned(lanes);
  std::int32_t result = lanes[0];
  for (std::int32_t lane : lanes) result = lane > result ? lane : result;
  return std::bit_cast<float>(result);
#endif
}

/// Counter-based generator: 32 random bits for each counter, a function of key and counter alone.
/// Source: Appleby, MurmurHash3 (2011), the 32-bit finalizer.
class RandomBits {
 public:
  explicit RandomBits(std::uint32_t key) : key_(key) {
    alignas(64) std::int32_t lanes[width];
    for (Index i = 0; i < width; ++i) lanes[i] = static_cast<std::int32_t>(static_cast<std::uint32_t>(i) * golden);
    lanes_ = Int::load_aligned(lanes);
  }
  /// For the counters first, first + 1, ..., one per lane.
  Int operator()(Index first) const {
    Int x = lanes_ + Int(static_cast<std::int32_t>(static_cast<std::uint32_t>(first) * golden + key_));
    x = times(x ^ shift_right(x, 16), 0x85ebca6bu);
    x = times(x ^ shift_right(x, 13), 0xc2b2ae35u);
    return x ^ shift_right(x, 16);
  }
  /// For one counter.
  std::uint32_t of(Index counter) const {
    std::uint32_t x = static_cast<std::uint32_t>(counter) * golden + key_;
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16;
  }

 private:
  static constexpr std::uint32_t golden = 0x9e3779b1u;  // 2^32 / golden ratio: maps near counters to distant numbers

  std::uint32_t key_;
  Int lanes_;
};

}  // namespace temper::optim_kernels::TEMPER_ISA
