#pragma once

// Operations of arithmetic on i64 tensors, which have no gradient.

#include <temper/tensor/tensor.hpp>

#include "framework/kernels/integer.hpp"

namespace temper::detail {

/// Whether x is defined and i64.
inline bool is_integer(const Tensor& x) { return x.defined() && x.dtype() == Dtype::i64; }

/// op(a, b), broadcast. Throws: ShapeError unless both are i64; ValueError for a divisor of 0.
Tensor integer(const char* name, kernels::Integer op, const Tensor& a, const Tensor& b);
/// op(x, number).
Tensor integer(const char* name, kernels::Integer op, const Tensor& x, std::int64_t number);
/// factor * x + shift. Throws: ValueError for numbers that are not whole.
Tensor integer_affine(const char* name, const Tensor& x, double factor, double shift);
/// x from low to high, else the nearer of them.
Tensor integer_clamp(const Tensor& x, float low, float high);

}  // namespace temper::detail
