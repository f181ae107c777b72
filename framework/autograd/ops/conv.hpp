#pragma once

#include <temper/autograd/ops/spatial.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

struct Conv2dOptions {
  Pair2 stride = 1;
  Padding2 padding = 0;  ///< zeros added around the image
  Pair2 dilation = 1;    ///< distance between the taps of the kernel
  std::int64_t groups = 1;
};

/// Two-dimensional cross-correlation: x [N, H, W, C], weight [out, C / groups, kh, kw], bias [out] or undefined
/// -> [N, H', W', out] with H' = floor((H + padding - dilation (kh - 1) - 1) / stride) + 1, with the
/// padding of both sides.
/// With a bf16 weight, an f32 x is rounded to bf16, and the result is bf16; the bias is f32 in either case.
/// Throws: ShapeError when the shapes or the dtypes do not fit, ValueError for options out of range.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Conv2dOptions& options = {});

}  // namespace temper
