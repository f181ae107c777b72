#pragma once

// xsimd, with one name here for each function that has another name or behaviour in some of its versions 8 to 14.
// Included by isa.hpp, and like that compiled once per instruction set.

#include <xsimd/xsimd.hpp>

namespace temper::kernels::TEMPER_ISA {

#if defined(TEMPER_ISA_avx512)
using Arch = xsimd::avx512bw;
#elif defined(TEMPER_ISA_avx2)
using Arch = xsimd::fma3<xsimd::avx2>;
#else
using Arch = xsimd::sse2;
#endif

using Vec = xsimd::batch<float, Arch>;
using Mask = Vec::batch_bool_type;

/// The same bits, reinterpreted as elements of another type.
template <class To, class From>
static inline To bits_as(From x) {
#if XSIMD_VERSION_MAJOR >= 11
  return xsimd::bitwise_cast<typename To::value_type>(x);
#else
  return xsimd::bitwise_cast<To>(x);
#endif
}

static inline float sum_of_lanes(Vec x) {
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::reduce_add(x);
#else
  return xsimd::hadd(x);
#endif
}

// Where either operand is NaN, xsimd::max and xsimd::min of floats return the second one up to version 13, and the
// first one from 14 on.

/// a > b ? a : b, so b where either is NaN.
static inline Vec max_or_second(Vec a, Vec b) {
#if defined(TEMPER_ISA_avx512)
  return _mm512_max_ps(a, b);
#elif defined(TEMPER_ISA_avx2)
  return _mm256_max_ps(a, b);
#else
  return _mm_max_ps(a, b);
#endif
}
/// a < b ? a : b, so b where either is NaN.
static inline Vec min_or_second(Vec a, Vec b) {
#if defined(TEMPER_ISA_avx512)
  return _mm512_min_ps(a, b);
#elif defined(TEMPER_ISA_avx2)
  return _mm256_min_ps(a, b);
#else
  return _mm_min_ps(a, b);
#endif
}
/// NaN where either is. isnan(a) and not a != a, which is false for NaN in xsimd 8 on AVX.
static inline Vec max_or_nan(Vec a, Vec b) { return xsimd::select((a > b) | xsimd::isnan(a), a, b); }
static inline Vec min_or_nan(Vec a, Vec b) { return xsimd::select((a < b) | xsimd::isnan(a), a, b); }

}  // namespace temper::kernels::TEMPER_ISA
