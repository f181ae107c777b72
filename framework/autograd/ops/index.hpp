#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

// Elements by their places along an axis, beside gather(). Places are i64 and count from 0. All throw: ShapeError when
// the shapes or the dtypes do not fit; ValueError for a place outside the axis.

/// Along an axis the blocks that index [m] names: index_select(x, 0, indices({2, 0, 2})) is rows 2, 0 and 2 of x. Any
/// dtype. Blocks taken several times add up their gradients.
Tensor index_select(const Tensor& x, int axis, const Tensor& index);

/// x with the blocks of `source` added at the places index [m] names, in their order: y[index[j], ...] += source[j,
/// ...] for axis 0. `source` has m blocks along the axis and is as x otherwise; f32, bf16 (summed in f32) or i64.
Tensor index_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source);

/// x with each element of `source` put where `index`, of the same shape, says: y[i, index[i, j]] = source[i, j] for
/// axis
/// 1. All have the sizes of x but along the axis. Any dtype. Of several elements for one place the last stays, and has
/// the gradient.
Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& source);
/// The same with elements added to what is there and to each other, in order; f32, bf16 (summed in f32) or i64.
Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source);

/// The places of all elements that are not 0 (or are true), in row-major order: i64 [count, rank].
Tensor nonzero(const Tensor& x);
/// The elements of x where `mask`, bool and of its shape, is true: [count], in row-major order. Any dtype.
Tensor masked_select(const Tensor& x, const Tensor& mask);

}  // namespace temper
