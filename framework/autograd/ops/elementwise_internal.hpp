#pragma once

// Functions of one tensor, element by element, recorded.

#include <temper/tensor/tensor.hpp>

#include "framework/kernels/isa/table.hpp"

namespace temper::detail {

/// Throws: ShapeError unless x is f32 or bf16. `name` is a string literal.
Tensor unary(const char* name, kernels::Unary op, const Tensor& x);
/// dy * f'(x) by recorded operations; `x` is the output where derivative_from_output(op). Throws: TapeError for an op
/// without a second derivative.
Tensor chained(const char* name, kernels::Unary op, const Tensor& x, const Tensor& dy);
/// As unary, with two numbers.
Tensor parametric(const char* name, kernels::Parametric op, const Tensor& x, float a, float b);

}  // namespace temper::detail
