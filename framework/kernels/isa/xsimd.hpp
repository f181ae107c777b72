#pragma once

// xsimd, with one name here for each function that has another name or behaviour in some of its versions 8 to 14.
// Included by the vectors.hpp of each instruction set, and like those compiled once for each.

#include <xsimd/xsimd.hpp>

namespace temper::kernels::TEMPER_ISA {

/// The same bits, reinterpreted as elements of another type.
template <class To, class From>
static inline To bits_as(From x) {
#if XSIMD_VERSION_MAJOR >= 11
  return xsimd::bitwise_cast<typename To::value_type>(x);
#else
  return xsimd::bitwise_cast<To>(x);
#endif
}

template <class V>
static inline float sum_of_lanes(V x) {
#if XSIMD_VERSION_MAJOR >= 9
  return xsimd::reduce_add(x);
#else
  return xsimd::hadd(x);
#endif
}

// Where either operand is NaN, xsimd::max and xsimd::min of floats return the second one up to version 13, and the
// first one from 14 on. So the kernels use max_or_second and min_or_second of vectors.hpp, or these.

/// NaN where either is. isnan(a) and not a != a, which is false for NaN in xsimd 8 on AVX.
template <class V>
static inline V max_or_nan(V a, V b) {
  return xsimd::select((a > b) | xsimd::isnan(a), a, b);
}
template <class V>
static inline V min_or_nan(V a, V b) {
  return xsimd::select((a < b) | xsimd::isnan(a), a, b);
}

}  // namespace temper::kernels::TEMPER_ISA
