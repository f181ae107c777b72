#pragma once

#include <temper/autograd/ops/spatial.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

struct UnfoldOptions {
  Pair2 kernel;
  Pair2 dilation = 1;  ///< distance between the elements of a window
  Pair2 padding = 0;   ///< zeros added on either side
  Pair2 stride = 1;
};

/// The elements of each window: x [N, H, W, C] f32 or bf16 -> [N, windows, C * kernel.h * kernel.w], windows by rows,
/// the elements of one in the order C, rows, columns, that of a convolution's weight. Throws: ShapeError when the
/// window does not fit, ValueError for options out of range.
Tensor unfold(const Tensor& x, const UnfoldOptions& options);

/// The sum of windows at their places in images of `output`: the way back, and unfold's gradient. x [N, windows, C *
/// kernel.h * kernel.w] -> [N, output.h, output.w, C]. Throws: as unfold; ShapeError for another number of windows.
Tensor fold(const Tensor& x, Pair2 output, const UnfoldOptions& options);

}  // namespace temper
