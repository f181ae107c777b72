#pragma once

// Two-dimensional pooling of NHWC images. Ours: oneDNN's maximum loses NaN.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// All sizes of a pooling; no window lies in the padding alone.
struct Pool2d {
  Index n = 0, h = 0, w = 0, channels = 0;
  Index kernel_h = 1, kernel_w = 1;
  Index stride_h = 1, stride_w = 1;
  Index padding_h = 0, padding_w = 0;
  Index out_h = 0, out_w = 0;
  bool relu = false;          ///< of the maximum: ReLU before or after it
  bool count_padding = true;  ///< the average divides by the whole window, not by the part inside the image

  /// The bytes that hold the number of a window's element, counted by rows from 0: an unsigned byte, or a float when
  /// the window has too many.
  Index number_bytes() const { return kernel_h * kernel_w < 256 ? 1 : 4; }
};

// T is float or BFloat16; all sums are float's.

/// y [n, out_h, out_w, channels] = the largest of each window, NaN where there is one. `which`, of the shape of y, gets
/// the number of the window's element taken: the first of equal ones; no element's where ReLU cut it off. It may
/// be null.
template <class T>
void max_pool2d(const Pool2d& shape, const T* x, T* y, std::byte* which);
/// dx [n, h, w, channels] =
template <class T>
void max_pool2d_backward(const Pool2d& shape, const T* dy, const std::byte* which, T* dx);

/// y = the mean of each window, the padding taken as zeros.
template <class T>
void avg_pool2d(const Pool2d& shape, const T* x, T* y);
template <class T>
void avg_pool2d_backward(const Pool2d& shape, const T* dy, T* dx);

/// Windows that cover the image as evenly as they can: number i of k over a side of n reaches from floor(i n / k) to
/// ceil((i + 1) n / k).
struct AdaptivePool2d {
  Index n = 0, h = 0, w = 0, channels = 0;
  Index out_h = 1, out_w = 1;
};

/// y [n, out_h, out_w, channels] = the mean of each window.
void adaptive_avg_pool2d(const AdaptivePool2d& shape, const float* x, float* y);
void adaptive_avg_pool2d_backward(const AdaptivePool2d& shape, const float* dy, float* dx);

}  // namespace temper::kernels
