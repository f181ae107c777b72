#pragma once

// Two-dimensional convolution. Images are NHWC; weights are stored as in PyTorch, [out, in / groups, kernel_h,
// kernel_w], and reordered at each call to the layout that oneDNN's primitive chose: microseconds, against milliseconds
// for the convolution.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// All sizes of a convolution; all but n are at least 1.
struct Conv2d {
  Index n = 0, h = 0, w = 0;  ///< images
  Index in = 0, out = 0;      ///< channels, multiples of groups
  Index kernel_h = 1, kernel_w = 1;
  Index stride_h = 1, stride_w = 1;
  Index padding_h = 0, padding_w = 0;
  Index dilation_h = 1, dilation_w = 1;
  Index groups = 1;

  Index out_h() const { return (h + 2 * padding_h - dilation_h * (kernel_h - 1) - 1) / stride_h + 1; }
  Index out_w() const { return (w + 2 * padding_w - dilation_w * (kernel_w - 1) - 1) / stride_w + 1; }
  Index weights() const { return out * (in / groups) * kernel_h * kernel_w; }
  /// Of the forward; each of the backwards has as many.
  double flops() const { return 2.0 * double(n * out_h() * out_w()) * double(weights()); }
};

// T is float or BFloat16, whose products are summed in float.
// Throws: ValueError for BFloat16 where the CPU cannot multiply that.

/// y [n, out_h, out_w, out]; `bias` [out] may be null.
template <class T>
void conv2d(const Conv2d& shape, const T* x, const T* weight, const float* bias, T* y);
/// dx [n, h, w, in] is overwritten.
template <class T>
void conv2d_backward_data(const Conv2d& shape, const T* dy, const T* weight, T* dx);
/// dw is overwritten, or added to when `accumulate`; G is T or float. The bits may depend on the number of threads. The
/// bias's gradient is sum_rows(dy).
template <class T, class G>
void conv2d_backward_weights(const Conv2d& shape, const T* x, const T* dy, G* dw, bool accumulate);

}  // namespace temper::kernels
