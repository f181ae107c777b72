#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

// Bits of whole numbers, which are in two's complement: i64 tensors, or bool tensors, of which each element is one bit
// (but for the shifts). They broadcast and have no gradient. All throw: ShapeError for other dtypes and for shapes that
// do not broadcast.

Tensor bitwise_and(const Tensor& a, const Tensor& b);
Tensor bitwise_or(const Tensor& a, const Tensor& b);
Tensor bitwise_xor(const Tensor& a, const Tensor& b);
Tensor bitwise_not(const Tensor& x);

/// a moved by b places, zeros coming in at the right, and at the left copies of the sign. Throws also: ValueError for b
/// outside 0 to 63.
Tensor bitwise_left_shift(const Tensor& a, const Tensor& b);
Tensor bitwise_right_shift(const Tensor& a, const Tensor& b);

}  // namespace temper
