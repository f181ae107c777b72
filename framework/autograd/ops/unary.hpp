#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

// Elementwise functions of one tensor of any shape, f32 or bf16; square and sign also i64. NaN gives NaN, and so do
// numbers outside a function's domain. All throw: ShapeError for other dtypes.

/// Of angles in radians, and their inverses.
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tan(const Tensor& x);
Tensor asin(const Tensor& x);
Tensor acos(const Tensor& x);
Tensor atan(const Tensor& x);

/// Hyperbolic functions, beside tanh, and their inverses.
Tensor sinh(const Tensor& x);
Tensor cosh(const Tensor& x);
Tensor asinh(const Tensor& x);
Tensor acosh(const Tensor& x);
Tensor atanh(const Tensor& x);

/// The error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.
Tensor erf(const Tensor& x);
/// e^x - 1 and log(1 + x), exact also near 0.
Tensor expm1(const Tensor& x);
Tensor log1p(const Tensor& x);

/// 1 / sqrt(x), 1 / x and x * x.
Tensor rsqrt(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor square(const Tensor& x);

/// -1, 0 or 1; the next whole number below, above, nearest (ties to even) and towards 0. Their gradient is 0.
Tensor sign(const Tensor& x);
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
Tensor round(const Tensor& x);
Tensor trunc(const Tensor& x);

}  // namespace temper
