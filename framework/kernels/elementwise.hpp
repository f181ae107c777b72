#pragma once

// Elementwise functions of f32, split over threads. Where shapes are given, operands broadcast to y_shape.

#include "framework/core/shape.hpp"
#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

void unary(Unary op, const float* x, float* y, Index n);
/// dx = dy * f'(x), with the output in place of x where derivative_from_output; dx may be dy.
void unary_backward(Unary op, const float* x, const float* dy, float* dx, Index n);
void parametric(Parametric op, const float* x, float a, float b, float* y, Index n);
void parametric_backward(Parametric op, const float* x, const float* dy, float a, float b, float* dx, Index n);

/// y = op(a, b)
void binary(Binary op, const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, float* y,
            const Shape& y_shape);
/// d, of y_shape, is the derivative times dy.
void binary_backward(BinaryBackward op, const float* a, const Shape& a_shape, const float* b, const Shape& b_shape,
                     const float* dy, float* d, const Shape& y_shape);
/// y = a ^ b, by the C library's powf: exp(b log a) in float would lose digits as b log a grows.
void power(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, float* y, const Shape& y_shape);
/// The derivatives of a ^ b by a and by b, times dy.
void power_backward_base(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, const float* dy,
                         float* da, const Shape& y_shape);
void power_backward_exponent(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape,
                             const float* dy, float* db, const Shape& y_shape);

void compare(Compare op, const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, bool* y,
             const Shape& y_shape);
void compare(Compare op, const std::int64_t* a, const Shape& a_shape, const std::int64_t* b, const Shape& b_shape,
             bool* y, const Shape& y_shape);
/// y = condition ? a : b
void choose(const bool* condition, const Shape& condition_shape, const float* a, const Shape& a_shape, const float* b,
            const Shape& b_shape, float* y, const Shape& y_shape);
/// y = scale * x
void expand(const float* x, const Shape& x_shape, float scale, float* y, const Shape& y_shape);

/// y += x
void accumulate(float* y, const float* x, Index n);
/// y = a * x + b; y may be x.
void affine(const float* x, float a, float b, float* y, Index n);

}  // namespace temper::kernels
