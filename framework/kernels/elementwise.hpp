#pragma once

// Elementwise functions, split over threads. Where shapes are given, operands broadcast to y_shape. T is float or
// BFloat16.

#include "framework/core/shape.hpp"
#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// y = x, converted.
template <class X, class Y>
void convert(const X* x, Y* y, Index n);

template <class T>
void unary(Unary op, const T* x, T* y, Index n);
/// dx = dy * f'(x); pass the output in place of x where derivative_from_output(op). dx may be dy.
template <class T>
void unary_backward(Unary op, const T* x, const T* dy, T* dx, Index n);
template <class T>
void parametric(Parametric op, const T* x, float a, float b, T* y, Index n);
/// dx may be dy.
template <class T>
void parametric_backward(Parametric op, const T* x, const T* dy, float a, float b, T* dx, Index n);

/// y = op(a, b)
template <class T>
void binary(Binary op, const T* a, const Shape& a_shape, const T* b, const Shape& b_shape, T* y, const Shape& y_shape);
/// d, of y_shape, is the derivative times dy.
template <class T>
void binary_backward(BinaryBackward op, const T* a, const Shape& a_shape, const T* b, const Shape& b_shape, const T* dy,
                     T* d, const Shape& y_shape);
/// y = a ^ b, by the C library's powf: exp(b log a) in float would lose digits as b log a grows.
void power(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, float* y, const Shape& y_shape);
/// The derivatives of a ^ b by a and by b, times dy.
void power_backward_base(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, const float* dy,
                         float* da, const Shape& y_shape);
void power_backward_exponent(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape,
                             const float* dy, float* db, const Shape& y_shape);

/// The angle of the point (x, y), and log(exp(a) + exp(b)).
void angle(const float* y, const Shape& y_of, const float* x, const Shape& x_of, float* result, const Shape& shape);
void log_add_exp(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, float* y,
                 const Shape& y_shape);

void compare(Compare op, const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, bool* y,
             const Shape& y_shape);
void compare(Compare op, const std::int64_t* a, const Shape& a_shape, const std::int64_t* b, const Shape& b_shape,
             bool* y, const Shape& y_shape);
/// y = condition ? a : b
void choose(const bool* condition, const Shape& condition_shape, const float* a, const Shape& a_shape, const float* b,
            const Shape& b_shape, float* y, const Shape& y_shape);
/// y = scale * x
template <class T>
void expand(const T* x, const Shape& x_shape, float scale, T* y, const Shape& y_shape);

/// y += x; Y is float or X.
template <class Y, class X>
void accumulate(Y* y, const X* x, Index n);
/// y = a * x + b; y may be x.
template <class T>
void affine(const T* x, float a, float b, T* y, Index n);

}  // namespace temper::kernels
