#pragma once

#include <temper/autograd/ops/reduce.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

// Truth values: bool tensors, which broadcast and have no gradient. All throw: ShapeError for other dtypes, for shapes
// that do not broadcast and when there is no such axis.

Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);
Tensor logical_not(const Tensor& x);

/// Whether some element, or each, is true over the axes, by default all: bool. Of nothing: false and true.
Tensor any(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});
Tensor all(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});
/// How many elements are true, or are not 0, over the axes, by default all: i64. Any dtype.
Tensor count_nonzero(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

/// What a number is, of f32 or bf16.
Tensor isnan(const Tensor& x);
Tensor isinf(const Tensor& x);
Tensor isfinite(const Tensor& x);

/// `value` where the bool mask is true, else x: any dtype; both broadcast. The value becomes of that dtype: for i64 it
/// must be whole, for bool it is true unless 0. Throws also: ValueError for other values.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);

}  // namespace temper
