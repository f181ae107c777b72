#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

// Operands broadcast by NumPy's rule. All throw: ShapeError for shapes that do not broadcast and for other dtypes.

/// Comparisons of two f32, two i64 or two bool tensors, as a bool tensor; false is less than true. Comparisons with
/// NaN are false, except not_equal.
Tensor equal(const Tensor& a, const Tensor& b);
Tensor not_equal(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);

/// a where the bool condition is true, else b: any dtype, the same for both.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

}  // namespace temper
