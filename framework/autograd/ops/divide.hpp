#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

// Quotients as whole numbers, and what is left over. Operands are f32 or i64, both alike, and broadcast. All throw:
// ShapeError for other dtypes and for shapes that do not broadcast; ValueError for an i64 divisor of 0.

/// Which whole number a quotient becomes: the one towards 0, or the one below.
enum class RoundingMode { trunc, floor };

/// a / b as a whole number, of the dtype of a and b. Its gradient is 0.
Tensor div(const Tensor& a, const Tensor& b, RoundingMode rounding);
inline Tensor floor_divide(const Tensor& a, const Tensor& b) { return div(a, b, RoundingMode::floor); }

/// a - b * floor(a / b), which has the sign of b, as Python's %; and a - b * trunc(a / b), which has the sign of a, as
/// C's. The gradient by b is minus that whole number.
Tensor remainder(const Tensor& a, const Tensor& b);
Tensor fmod(const Tensor& a, const Tensor& b);

}  // namespace temper
