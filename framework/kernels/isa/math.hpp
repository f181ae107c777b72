#pragma once

// Functions that take most of some kernels' time. They are faster than xsimd's, whose full generality the kernels do
// not need. fit.py computes the polynomials.

#include "framework/kernels/isa/isa.hpp"

namespace temper::kernels::TEMPER_ISA {

/// c0 + c1 x + c2 x^2 + ...
static inline Vec polynomial(Vec, float c0) { return Vec(c0); }
template <class... Rest>
static inline Vec polynomial(Vec x, float c0, float c1, Rest... rest) {
  return multiply_add(x, polynomial(x, c1, rest...), Vec(c0));
}

/// e^x within 1.5 units in the last place; 0 where that is below the smallest normal float, infinity above the largest,
/// NaN for NaN.
static inline Vec exponential(Vec x) {
  const Vec lowest(-87.336544f), bounded = min_or_second(Vec(89.0f), max_or_second(lowest, x));
  // e^x = 2^n e^r. Adding 1.5 * 2^23 rounds to a whole number n, and leaves it in the low bits.
  const Vec shift(12582912.0f), shifted = multiply_add(bounded, Vec(1.44269504088896341f), shift), n = shifted - shift;
  const Vec r = subtract_product(subtract_product(bounded, n, Vec(0.693359375f)), n, Vec(-2.12194440e-4f));
  const Vec p =
      Vec(1.0f) +
      multiply_add(r * r, polynomial(r, 0.4999999341f, 0.1666652011f, 0.04166839423f, 0.008368780486f, 0.001381446622f),
                   r);
  return xsimd::select(x < lowest, Vec(0.0f), scaled_by_power(p, n, shifted));
}

/// 1 / (1 + e^-x)
static inline Vec logistic(Vec x) { return Vec(1.0f) / (Vec(1.0f) + exponential(-x)); }

/// The probability that a standard normal variable exceeds a >= 0, given density = e^(-a^2 / 2).
static inline Vec normal_tail(Vec a, Vec density) {
  const Vec t = Vec(1.0f) / multiply_add(Vec(0.3f), a, Vec(1.0f));
  return density * polynomial(t, 7.169081816e-06f, 0.1194876848f, 0.1219203768f, 0.09468336896f, 0.1425359286f,
                              -0.07650712105f, 0.2286606913f, -0.1691664283f, 0.03837835873f);
}

}  // namespace temper::kernels::TEMPER_ISA
