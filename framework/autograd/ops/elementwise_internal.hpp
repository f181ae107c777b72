#pragma once

// Functions of one tensor, element by element, recorded.

#include <temper/tensor/tensor.hpp>

#include "framework/kernels/isa/table.hpp"

namespace temper::detail {

/// Throws: ShapeError unless x is f32 or bf16. `name` is a string literal.
Tensor unary(const char* name, kernels::Unary op, const Tensor& x);
/// Likewise, with two numbers.
Tensor parametric(const char* name, kernels::Parametric op, const Tensor& x, float a, float b);

}  // namespace temper::detail
