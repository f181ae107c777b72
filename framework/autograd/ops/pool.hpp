#pragma once

#include <temper/autograd/ops/spatial.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

// Images are f32 or (but for adaptive_avg_pool2d) bf16.

struct PoolOptions {
  Pair2 kernel;
  Pair2 stride = 0;        ///< 0: as the kernel
  Padding2 padding = 0;    ///< on each side at most half the kernel; padding never is the largest element
  bool ceil_mode = false;  ///< windows may extend beyond the padded image, but none starts beyond it
  Pair2 dilation = 1;      ///< distance between the elements of a window
};

struct AvgPoolOptions {
  Pair2 kernel;
  Pair2 stride = 0;               ///< 0: as the kernel
  Padding2 padding = 0;           ///< on each side at most half the kernel
  bool count_include_pad = true;  ///< count the padding as zeros; otherwise the mean is over the image's pixels alone
  bool ceil_mode = false;         ///< as for max_pool2d; what is beyond the padding is not counted
};

/// The largest element of each window: x [N, H, W, C] -> [N, H', W', C] with
/// H' = floor((H + both paddings - dilation (kernel - 1) - 1) / stride) + 1, or rounded up for ceil_mode. A window with
/// a NaN gives NaN. Of equal elements the first in row-major order gets the gradient. Throws: ShapeError when the
/// window does not fit, ValueError for options out of range.
Tensor max_pool2d(const Tensor& x, const PoolOptions& options);

/// relu(max_pool2d(x)), which is max_pool2d(relu(x)), in one pass over memory. Throws: as max_pool2d.
Tensor max_pool2d_relu(const Tensor& x, const PoolOptions& options);

/// The mean of each window; shapes and errors as for max_pool2d.
Tensor avg_pool2d(const Tensor& x, const AvgPoolOptions& options);

/// The means of output.h x output.w windows that cover the image evenly, overlapping where the sizes do not divide:
/// x [N, H, W, C] -> [N, output.h, output.w, C]. Throws: ShapeError for other inputs, ValueError for an empty output.
Tensor adaptive_avg_pool2d(const Tensor& x, Pair2 output);

/// The mean of each image's channels: x [N, H, W, C] -> [N, C]. Throws: ShapeError for other inputs.
Tensor global_avg_pool2d(const Tensor& x);

}  // namespace temper
