#pragma once

// Argument checks of operations on images.

#include <temper/autograd/ops/spatial.hpp>
#include <temper/tensor/tensor.hpp>

#include "framework/autograd/ops/ops_internal.hpp"

namespace temper::detail {

/// Throws unless x is f32 or bf16 [N, H, W, C] with something in each image.
inline void check_image(const char* operation, const Tensor& x) {
  require_defined(operation, "input", x);
  if ((x.dtype() != Dtype::f32 && x.dtype() != Dtype::bf16) || x.rank() != 4) {
    fail<ShapeError>("{}: input {} {}, expected f32 or bf16 [N, H, W, C]", operation, x.dtype(), x.shape());
  }
  if (x.shape().without_axis(0).numel() == 0) fail<ShapeError>("{}: input {} has empty images", operation, x.shape());
}

/// A hint for the error about an image without the `expected` channels, if it looks like NCHW; else empty.
inline const char* layout_hint(const Tensor& x, std::int64_t expected) {
  return x.rank() == 4 && x.size(1) == expected ? "; images are [N, H, W, C], this looks like [N, C, H, W]" : "";
}

inline void check_at_least(const char* operation, const char* option, const Pair2& value, std::int64_t least) {
  if (value.h < least || value.w < least) {
    fail<ValueError>("{}: {} {} x {}, expected at least {}", operation, option, value.h, value.w, least);
  }
}

/// Throws unless the window, spread by its dilation, fits into the padded image.
inline void check_window(const char* operation, const Tensor& x, const Pair2& kernel, const Padding2& padding,
                         const Pair2& dilation) {
  const std::int64_t h = dilation.h * (kernel.h - 1) + 1, w = dilation.w * (kernel.w - 1) + 1;
  const std::int64_t padded_h = x.size(1) + padding.h.before + padding.h.after;
  const std::int64_t padded_w = x.size(2) + padding.w.before + padding.w.after;
  if (h > padded_h || w > padded_w) {
    fail<ShapeError>("{}: kernel {} x {}{} does not fit into input {}, {} x {} with its padding", operation, kernel.h,
                     kernel.w, dilation == Pair2(1) ? "" : fmt::format(", dilated to {} x {},", h, w), x.shape(),
                     padded_h, padded_w);
  }
}

}  // namespace temper::detail
