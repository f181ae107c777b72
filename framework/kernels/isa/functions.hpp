#pragma once

// Elementwise functions of one number, and of one number and up to two parameters, with their derivatives.

#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/math.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

constexpr float inv_sqrt_2pi = 0.39894228040143268f;
constexpr float sqrt_2_over_pi = 0.79788456080286536f;
constexpr float gelu_cubic = 0.044715f;

Vec zero() { return Vec(0.0f); }
Vec one() { return Vec(1.0f); }

/// x clipped where a sigmoid-like function has reached its limit in float: further out, infinity * 0 would give NaN.
Vec bounded(Vec x, float limit) { return clamp(x, Vec(-limit), Vec(limit)); }
Vec bounded_below(Vec x, float limit) { return xsimd::select(x < Vec(-limit), Vec(-limit), x); }
constexpr float gelu_limit = 20.0f;
constexpr float silu_limit = 100.0f;

// Each function with its derivative: y(x) and dx(x, dy), or dx(y, dy) where derivative_from_output says so. The
// conditions of select() are such that a NaN argument gives NaN.

struct Neg {
  static Vec y(Vec x) { return -x; }
  static Vec dx(Vec, Vec dy) { return -dy; }
};
struct Exp {
  static Vec y(Vec x) { return exponential(x); }
  static Vec dx(Vec y, Vec dy) { return dy * y; }
};
struct Log {
  static Vec y(Vec x) { return xsimd::log(x); }
  static Vec dx(Vec x, Vec dy) { return dy / x; }
};
struct Sqrt {
  static Vec y(Vec x) { return xsimd::sqrt(x); }
  static Vec dx(Vec y, Vec dy) { return dy * Vec(0.5f) / y; }
};
struct Abs {
  static Vec y(Vec x) { return xsimd::abs(x); }
  static Vec dx(Vec x, Vec dy) { return xsimd::select(x > zero(), dy, xsimd::select(x < zero(), -dy, zero())); }
};
struct Relu {
  static Vec y(Vec x) { return xsimd::select(x < zero(), zero(), x); }
  static Vec dx(Vec y, Vec dy) { return xsimd::select(y <= zero(), zero(), dy); }
};
struct GeluTanh {  // x * (1 + tanh(u(x))) / 2, which is x * sigmoid(2 u(x))
  static Vec twice_u(Vec x) { return Vec(2.0f * sqrt_2_over_pi) * multiply_add(Vec(gelu_cubic) * x * x, x, x); }
  static Vec y(Vec x) { return bounded_below(x, gelu_limit) * logistic(twice_u(bounded(x, gelu_limit))); }
  static Vec dx(Vec x, Vec dy) {
    x = bounded(x, gelu_limit);
    const Vec s = logistic(twice_u(x));
    const Vec slope = Vec(2.0f * sqrt_2_over_pi) * multiply_add(Vec(3.0f * gelu_cubic) * x, x, one());
    return dy * s * multiply_add(x * (one() - s), slope, one());
  }
};
struct Gelu {  // x * Phi(x)
  static Vec cdf(Vec x, Vec density) {
    const Vec tail = normal_tail(xsimd::abs(x), density);
    return xsimd::select(x > zero(), one() - tail, tail);
  }
  static Vec y(Vec x) { return bounded_below(x, gelu_limit) * cdf(x, exponential(Vec(-0.5f) * x * x)); }
  static Vec dx(Vec x, Vec dy) {
    x = bounded(x, gelu_limit);
    const Vec density = exponential(Vec(-0.5f) * x * x);
    return dy * multiply_add(x * Vec(inv_sqrt_2pi), density, cdf(x, density));
  }
};
struct Silu {
  static Vec y(Vec x) { return bounded_below(x, silu_limit) * logistic(x); }
  static Vec dx(Vec x, Vec dy) {
    x = bounded(x, silu_limit);
    const Vec s = logistic(x);
    return dy * s * multiply_add(x, one() - s, one());
  }
};
struct Sigmoid {
  static Vec y(Vec x) { return logistic(x); }
  static Vec dx(Vec y, Vec dy) { return dy * y * (one() - y); }
};
struct Tanh {
  static Vec y(Vec x) { return xsimd::tanh(x); }
  static Vec dx(Vec y, Vec dy) { return dy * subtract_product(one(), y, y); }
};
struct Softplus {  // log(1 + e^x), from the side that does not overflow
  static Vec y(Vec x) {
    const Vec tail = xsimd::log1p(exponential(-xsimd::abs(x)));
    return xsimd::select(x < zero(), zero(), x) + tail;
  }
  static Vec dx(Vec x, Vec dy) { return dy * logistic(x); }
};

struct Sin {
  static Vec y(Vec x) { return xsimd::sin(x); }
  static Vec dx(Vec x, Vec dy) { return dy * xsimd::cos(x); }
};
struct Cos {
  static Vec y(Vec x) { return xsimd::cos(x); }
  static Vec dx(Vec x, Vec dy) { return -dy * xsimd::sin(x); }
};
struct Tan {
  static Vec y(Vec x) { return xsimd::tan(x); }
  static Vec dx(Vec y, Vec dy) { return dy * multiply_add(y, y, one()); }
};
struct Asin {
  static Vec y(Vec x) { return xsimd::asin(x); }
  static Vec dx(Vec x, Vec dy) { return dy / xsimd::sqrt((one() - x) * (one() + x)); }
};
struct Acos {
  static Vec y(Vec x) { return xsimd::acos(x); }
  static Vec dx(Vec x, Vec dy) { return -dy / xsimd::sqrt((one() - x) * (one() + x)); }
};
struct Atan {
  static Vec y(Vec x) { return xsimd::atan(x); }
  static Vec dx(Vec x, Vec dy) { return dy / multiply_add(x, x, one()); }
};
struct Sinh {
  static Vec y(Vec x) { return xsimd::sinh(x); }
  static Vec dx(Vec x, Vec dy) { return dy * xsimd::cosh(x); }
};
struct Cosh {
  static Vec y(Vec x) { return xsimd::cosh(x); }
  static Vec dx(Vec x, Vec dy) { return dy * xsimd::sinh(x); }
};
struct Asinh {
  static Vec y(Vec x) { return xsimd::asinh(x); }
  static Vec dx(Vec x, Vec dy) { return dy / xsimd::sqrt(multiply_add(x, x, one())); }
};
struct Acosh {
  static Vec y(Vec x) { return xsimd::select(x < one(), Vec(__builtin_nanf("")), xsimd::acosh(x)); }
  static Vec dx(Vec x, Vec dy) { return dy / xsimd::sqrt((x - one()) * (x + one())); }
};
struct Atanh {
  static Vec y(Vec x) { return xsimd::atanh(x); }
  static Vec dx(Vec x, Vec dy) { return dy / ((one() - x) * (one() + x)); }
};
struct Erf {
  static Vec y(Vec x) { return xsimd::erf(x); }
  static Vec dx(Vec x, Vec dy) { return dy * Vec(1.1283791670955126f) * exponential(-x * x); }
};
struct Expm1 {  // xsimd::expm1 overflows below the largest x whose result is finite
  static Vec y(Vec x) { return xsimd::select(x > one(), exponential(x) - one(), xsimd::expm1(x)); }
  static Vec dx(Vec x, Vec dy) { return dy * exponential(x); }
};
struct Log1p {
  static Vec y(Vec x) { return xsimd::log1p(x); }
  static Vec dx(Vec x, Vec dy) { return dy / (one() + x); }
};
struct Rsqrt {
  static Vec y(Vec x) { return one() / xsimd::sqrt(x); }
  static Vec dx(Vec y, Vec dy) { return dy * (Vec(-0.5f) * y) * y * y; }
};
struct Reciprocal {
  static Vec y(Vec x) { return one() / x; }
  static Vec dx(Vec y, Vec dy) { return -dy * y * y; }
};
struct Square {
  static Vec y(Vec x) { return x * x; }
  static Vec dx(Vec x, Vec dy) { return (dy + dy) * x; }
};
/// Piecewise constant functions.
struct Step {
  static Vec dx(Vec, Vec) { return zero(); }
};
struct Sign : Step {
  static Vec y(Vec x) { return xsimd::select(x > zero(), one(), xsimd::select(x < zero(), -one(), x)); }
};
struct Floor : Step {
  static Vec y(Vec x) { return xsimd::floor(x); }
};
struct Ceil : Step {
  static Vec y(Vec x) { return xsimd::ceil(x); }
};
struct Round : Step {  // halves to even
  static Vec y(Vec x) { return xsimd::nearbyint(x); }
};
struct Trunc : Step {
  static Vec y(Vec x) { return xsimd::trunc(x); }
};
struct Mish {  // x tanh(log(1 + e^x)), where the tanh is n / (n + 2) with n = e^x (e^x + 2)
  static Vec ratio(Vec x) {
    const Vec e = exponential(xsimd::select(x > Vec(20.0f), Vec(20.0f), x)), n = e * (e + Vec(2.0f));
    return n / (n + Vec(2.0f));
  }
  static Vec y(Vec x) { return bounded_below(x, silu_limit) * ratio(x); }
  static Vec dx(Vec x, Vec dy) {
    x = bounded(x, silu_limit);
    const Vec t = ratio(x);
    return dy * multiply_add(x * logistic(x), subtract_product(one(), t, t), t);
  }
};
struct Softsign {
  static Vec y(Vec x) {
    // For large x the quotient would be infinity / infinity.
    return xsimd::select(xsimd::abs(x) > Vec(1e30f), Sign::y(x), x / (one() + xsimd::abs(x)));
  }
  static Vec dx(Vec x, Vec dy) {
    const Vec d = one() + xsimd::abs(x);
    return dy / d / d;
  }
};
struct Hardsigmoid {
  static Vec y(Vec x) { return clamp(x + Vec(3.0f), zero(), Vec(6.0f)) * Vec(1.0f / 6.0f); }
  static Vec dx(Vec x, Vec dy) {
    return xsimd::select((x <= Vec(-3.0f)) | (x >= Vec(3.0f)), zero(), dy * Vec(1.0f / 6.0f));
  }
};
struct Hardswish {
  static Vec y(Vec x) { return bounded_below(x, 3.0f) * Hardsigmoid::y(x); }
  static Vec dx(Vec x, Vec dy) {
    const Vec slope = dy * multiply_add(x, Vec(1.0f / 3.0f), Vec(0.5f));
    return xsimd::select(x <= Vec(-3.0f), zero(), xsimd::select(x >= Vec(3.0f), dy, slope));
  }
};

struct LeakyRelu {  // a: the slope below zero
  static Vec y(Vec x, Vec a, Vec) { return xsimd::select(x < zero(), a * x, x); }
  static Vec dx(Vec x, Vec dy, Vec a, Vec) { return xsimd::select(x <= zero(), a * dy, dy); }
};
struct Clamp {  // from a to b
  static Vec y(Vec x, Vec a, Vec b) { return clamp(x, a, b); }
  static Vec dx(Vec x, Vec dy, Vec a, Vec b) { return xsimd::select((x < a) | (x > b), zero(), dy); }
};

struct Elu {  // b x, or b a (e^x - 1) below zero
  static Vec y(Vec x, Vec a, Vec b) { return b * xsimd::select(x < zero(), a * xsimd::expm1(x), x); }
  static Vec dx(Vec x, Vec dy, Vec a, Vec b) { return b * xsimd::select(x <= zero(), dy * a * exponential(x), dy); }
};
struct Celu {  // x, or a (e^(x / a) - 1) below zero
  static Vec y(Vec x, Vec a, Vec) { return xsimd::select(x < zero(), a * xsimd::expm1(x / a), x); }
  static Vec dx(Vec x, Vec dy, Vec a, Vec) { return xsimd::select(x <= zero(), dy * exponential(x / a), dy); }
};
struct Softshrink {  // sign(x) * max(|x| - a, 0)
  static Vec y(Vec x, Vec a, Vec) {
    return xsimd::select(x > a, x - a, xsimd::select(x < -a, x + a, xsimd::select(xsimd::isnan(x), x, zero())));
  }
  static Vec dx(Vec x, Vec dy, Vec a, Vec) { return xsimd::select(xsimd::abs(x) <= a, zero(), dy); }
};
struct Hardshrink {  // x where |x| > a, else 0
  static Vec y(Vec x, Vec a, Vec) { return xsimd::select(xsimd::abs(x) <= a, zero(), x); }
  static Vec dx(Vec x, Vec dy, Vec a, Vec) { return xsimd::select(xsimd::abs(x) <= a, zero(), dy); }
};
struct Threshold {  // x where x > a, else b
  static Vec y(Vec x, Vec a, Vec b) { return xsimd::select(x <= a, b, x); }
  static Vec dx(Vec x, Vec dy, Vec a, Vec) { return xsimd::select(x <= a, zero(), dy); }
};

struct Over {  // x / a
  static Vec y(Vec x, Vec a, Vec) { return x / a; }
  static Vec dx(Vec, Vec dy, Vec a, Vec) { return dy / a; }
};
struct Under {  // a / x
  static Vec y(Vec x, Vec a, Vec) { return a / x; }
  static Vec dx(Vec x, Vec dy, Vec a, Vec) { return -dy * (a / x) / x; }
};

}  // namespace

}  // namespace temper::kernels::TEMPER_ISA
