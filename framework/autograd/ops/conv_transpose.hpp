#pragma once

#include <temper/autograd/ops/spatial.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

struct ConvTranspose2dOptions {
  Pair2 stride = 1;
  Pair2 padding = 0;         ///< rows and columns cut off on either side
  Pair2 output_padding = 0;  ///< rows added below and columns added to the right; less than stride or dilation
  Pair2 dilation = 1;
  std::int64_t groups = 1;
};

/// The transpose of conv2d, which enlarges images: x [N, H, W, in], weight [in, out / groups, kh, kw], bias [out] or
/// undefined -> [N, H', W', out] with H' = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1. f32, or
/// bf16 with an f32 bias. Throws: ShapeError when the shapes or the dtypes do not fit, ValueError for options out of
/// range. Source: Zeiler et al., "Deconvolutional networks" (2010).
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTranspose2dOptions& options = {});

struct ConvTranspose1dOptions {
  std::int64_t stride = 1, padding = 0, output_padding = 0, dilation = 1, groups = 1;
};

/// The same along one axis: x [N, L, in], weight [in, out / groups, k] -> [N, L', out]. Throws: as conv_transpose2d.
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTranspose1dOptions& options = {});

}  // namespace temper
