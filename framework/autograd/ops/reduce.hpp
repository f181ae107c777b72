#pragma once

#include <temper/autograd/ops/axes.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

struct ReduceOptions {
  bool keepdim = false;  ///< keep the reduced axes, with size 1
};

/// Sum and mean over the axes, by default all: sum(x), sum(x, 1), mean(x, {0, 2}, {.keepdim = true}). x is f32 or bf16;
/// sums are f32, and rounded at the end. sum also takes i64; such sums wrap around. Throws: ShapeError when there is no
/// such axis or one is given twice; ValueError for a mean over no elements.
Tensor sum(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});
Tensor mean(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

/// The largest and smallest number over the axes of an f32 or i64 tensor, by default all; NaN when there is one. Equal
/// ones get equal parts of the gradient. Throws: as above; ValueError for no elements.
Tensor max(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});
Tensor min(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

struct ArgOptions {
  bool keepdim = false;            ///< keep the axis, with size 1
  bool select_last_index = false;  ///< of equal numbers the last instead of the first
};

/// The index of the largest and of the smallest number (or of the first NaN) along an axis, as i64; of equal numbers
/// the first. Any dtype; true is larger than false. Has no gradient. Throws: ShapeError when there is no such axis;
/// ValueError when it is empty.
Tensor argmax(const Tensor& x, int axis = -1, ArgOptions options = {});
Tensor argmin(const Tensor& x, int axis = -1, ArgOptions options = {});

}  // namespace temper
