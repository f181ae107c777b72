#pragma once

// Included by units that are compiled once per instruction set. TEMPER_ISA is sse2, avx2 or avx512; everything in such
// a unit is in the namespace of that name or has internal linkage, so that the linker cannot merge copies for two sets.

#include "framework/core/bfloat16.hpp"
#include "framework/kernels/isa/xsimd.hpp"

namespace temper::kernels::TEMPER_ISA {

using Index = std::int64_t;

inline constexpr Index width = static_cast<Index>(Vec::size);

static inline Vec load(const float* p) { return Vec::load_unaligned(p); }
static inline void store(float* p, Vec v) { v.store_unaligned(p); }

/// a * b + c, rounded once where the CPU has FMA. xsimd 8 rounds twice on AVX-512, and the compiler must not contract
/// by itself: see temper_isa_sources in cmake/TemperTargets.cmake.
static inline Vec multiply_add(Vec a, Vec b, Vec c) {
#if defined(TEMPER_ISA_avx512)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(TEMPER_ISA_avx2)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}
/// c - a * b, rounded once where the CPU has FMA.
static inline Vec subtract_product(Vec c, Vec a, Vec b) {
#if defined(TEMPER_ISA_avx512)
  return _mm512_fnmadd_ps(a, b, c);
#elif defined(TEMPER_ISA_avx2)
  return _mm256_fnmadd_ps(a, b, c);
#else
  return c - a * b;
#endif
}

#if defined(TEMPER_ISA_avx2)
static inline __m256i first_lanes(Index count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
#endif

/// The first `count` < width lanes; the others hold `fill`. Tails run through the same vector code as full vectors, so
/// that a result never depends on an element's position in the array.
static inline Vec load_part(const float* p, Index count, float fill = 0.0f) {
#if defined(TEMPER_ISA_avx512)
  return _mm512_mask_loadu_ps(_mm512_set1_ps(fill), static_cast<__mmask16>((1u << count) - 1), p);
#elif defined(TEMPER_ISA_avx2)
  const __m256i mask = first_lanes(count);
  return _mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
#else
  alignas(64) float lanes[width];
  for (Index i = 0; i < width; ++i) lanes[i] = i < count ? p[i] : fill;
  return Vec::load_aligned(lanes);
#endif
}
static inline void store_part(float* p, Vec v, Index count) {
#if defined(TEMPER_ISA_avx512)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), v);
#elif defined(TEMPER_ISA_avx2)
  _mm256_maskstore_ps(p, first_lanes(count), v);
#else
  alignas(64) float lanes[width];
  v.store_aligned(lanes);
  for (Index i = 0; i < count; ++i) p[i] = lanes[i];
#endif
}

// bf16 elements are converted to float by load, and rounded to the nearest (ties to even; NaN stays NaN) by store.
// Everything in between computes in float.

static inline Vec load(const BFloat16* p) {
#if defined(TEMPER_ISA_avx512)
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i*)p)), 16));
#elif defined(TEMPER_ISA_avx2)
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i*)p)), 16));
#else
  return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), _mm_loadl_epi64((const __m128i*)p)));
#endif
}
static inline Vec load_part(const BFloat16* p, Index count, float fill = 0.0f) {
#if defined(TEMPER_ISA_avx512)
  const auto mask = static_cast<__mmask16>((1u << count) - 1);
  const __m512i words = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, p)), 16);
  return _mm512_mask_blend_ps(mask, _mm512_set1_ps(fill), _mm512_castsi512_ps(words));
#else
  alignas(64) float lanes[width];
  for (Index i = 0; i < width; ++i) {
    const std::uint32_t bits = i < count ? std::uint32_t{p[i].bits} << 16 : 0;
    __builtin_memcpy(lanes + i, &bits, sizeof bits);
    if (i >= count) lanes[i] = fill;
  }
  return Vec::load_aligned(lanes);
#endif
}

#if defined(TEMPER_ISA_avx512)
static inline __m256i rounded(Vec v) {
  const __m512i bits = _mm512_castps_si512(v), upper = _mm512_srli_epi32(bits, 16);
  const __m512i even = _mm512_and_si512(upper, _mm512_set1_epi32(1));
  const __m512i nearest =
      _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(even, _mm512_set1_epi32(0x7fff))), 16);
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(nearest, nan, upper, _mm512_set1_epi32(0x40)));
}
#elif defined(TEMPER_ISA_avx2)
static inline __m128i rounded(Vec v) {
  const __m256i bits = _mm256_castps_si256(v), upper = _mm256_srli_epi32(bits, 16);
  const __m256i even = _mm256_and_si256(upper, _mm256_set1_epi32(1));
  const __m256i nearest = _mm256_add_epi32(bits, _mm256_add_epi32(even, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  const __m256i both = _mm256_srai_epi32(_mm256_blendv_epi8(nearest, quiet, nan), 16);
  return _mm_packs_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
}
#else
static inline __m128i rounded(Vec v) {  // the result is in the lower half
  const __m128i bits = _mm_castps_si128(v), upper = _mm_srli_epi32(bits, 16);
  const __m128i even = _mm_and_si128(upper, _mm_set1_epi32(1));
  const __m128i nearest = _mm_add_epi32(bits, _mm_add_epi32(even, _mm_set1_epi32(0x7fff)));
  const __m128i quiet = _mm_or_si128(bits, _mm_set1_epi32(0x400000));
  const __m128i nan = _mm_castps_si128(_mm_cmpunord_ps(v, v));
  const __m128i chosen = _mm_or_si128(_mm_and_si128(nan, quiet), _mm_andnot_si128(nan, nearest));
  const __m128i both = _mm_srai_epi32(chosen, 16);
  return _mm_packs_epi32(both, both);
}
#endif
static inline void store(BFloat16* p, Vec v) {
#if defined(TEMPER_ISA_avx512)
  _mm256_storeu_si256((__m256i*)p, rounded(v));
#elif defined(TEMPER_ISA_avx2)
  _mm_storeu_si128((__m128i*)p, rounded(v));
#else
  _mm_storel_epi64((__m128i*)p, rounded(v));
#endif
}
static inline void store_part(BFloat16* p, Vec v, Index count) {
#if defined(TEMPER_ISA_avx512)
  _mm256_mask_storeu_epi16(p, static_cast<__mmask16>((1u << count) - 1), rounded(v));
#else
  alignas(64) BFloat16 lanes[width];
  store(lanes, v);
  for (Index i = 0; i < count; ++i) p[i] = lanes[i];
#endif
}

// From here on T, X and Y are float or BFloat16.

/// load_part and store_part for 1 to width lanes.
template <class T>
static inline Vec load_upto(const T* p, Index count, float fill = 0.0f) {
  return count == width ? load(p) : load_part(p, count, fill);
}
template <class T>
static inline void store_upto(T* p, Vec v, Index count) {
  if (count == width) {
    store(p, v);
  } else {
    store_part(p, v, count);
  }
}

/// NaN stays NaN.
static inline Vec clamp(Vec x, Vec low, Vec high) {
  return xsimd::select(x < low, low, xsimd::select(x > high, high, x));
}

/// v with 0 in the lanes from `count` on.
static inline Vec zero_past(Vec v, Index count) {
  if (count == width) return v;
  alignas(64) float lanes[width];
  v.store_aligned(lanes);
  return load_part(lanes, count);
}

/// Calls f(i, count) for every vector of n elements: i is its first element, count its length (width, at the end less).
template <class F>
static inline void for_each_vector(Index n, F f) {
  Index i = 0;
  for (; i + width <= n; i += width) f(i, width);
  if (i < n) f(i, n - i);
}

/// y[i] = f(x[i]) for n elements.
template <class X, class Y, class F>
static inline void transform(const X* x, Y* y, Index n, F f) {
  Index i = 0;
  for (; i + width <= n; i += width) store(y + i, f(load(x + i)));
  if (i < n) store_part(y + i, f(load_part(x + i, n - i)), n - i);
}
/// y[i] = f(a[i], b[i]) for n elements.
template <class A, class B, class Y, class F>
static inline void transform(const A* a, const B* b, Y* y, Index n, F f) {
  Index i = 0;
  for (; i + width <= n; i += width) store(y + i, f(load(a + i), load(b + i)));
  if (i < n) store_part(y + i, f(load_part(a + i, n - i), load_part(b + i, n - i)), n - i);
}

/// Compensated sums, one in each lane: the rounding error of each addition is subtracted in the next one.
/// Source: Kahan, "Further remarks on reducing truncation errors" (1965).
class LongSum {
 public:
  void operator+=(Vec v) {
    const Vec more = v - excess_, next = sum_ + more, excess = (next - sum_) - more;
    sum_ = next;
    excess_ = xsimd::select(xsimd::isnan(excess), Vec(0.0f), excess);  // infinity - infinity is NaN
  }
  Vec value() const { return sum_; }

 private:
  Vec sum_ = Vec(0.0f), excess_ = Vec(0.0f);
};

/// Sum of all lanes of f(i, count) over the vectors of n elements; lanes past count must be 0. At most 1024 elements
/// are summed in float, and these sums in double, so that the error does not grow with n.
template <class F>
static inline double blocked_sum(Index n, F f) {
  constexpr Index block = 1024;
  double total = 0.0;
  for (Index begin = 0; begin < n; begin += block) {
    const Index end = n - begin < block ? n : begin + block;
    Vec s0(0.0f), s1(0.0f), s2(0.0f), s3(0.0f);
    Index i = begin;
    for (; i + 4 * width <= end; i += 4 * width) {
      s0 += f(i, width);
      s1 += f(i + width, width);
      s2 += f(i + 2 * width, width);
      s3 += f(i + 3 * width, width);
    }
    for (; i < end; i += width) s0 += f(i, end - i < width ? end - i : width);
    total += static_cast<double>(sum_of_lanes((s0 + s1) + (s2 + s3)));
  }
  return total;
}

}  // namespace temper::kernels::TEMPER_ISA
