#pragma once

// Elementwise functions on contiguous f32, split over threads.

#include "framework/core/shape.hpp"
#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

void unary(Unary op, const float* x, float* y, Index n);
/// dx = dy * f'(x); dx may be dy.
void unary_backward(Unary op, const float* x, const float* dy, float* dx, Index n);
/// y = op(a, b), broadcast to y_shape = broadcast_shapes(a_shape, b_shape).
void binary(Binary op, const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, float* y,
            const Shape& y_shape);
/// y += x
void accumulate(float* y, const float* x, Index n);
/// y = a * x + b; y may be x.
void affine(const float* x, float a, float b, float* y, Index n);

}  // namespace temper::kernels
