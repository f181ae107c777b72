#pragma once

// Two-dimensional pooling of NHWC images. Our own kernels, because oneDNN's maximum loses NaN.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// All sizes of a pooling; every window covers part of the image.
struct Pool2d {
  Index n = 0, h = 0, w = 0, channels = 0;
  Index kernel_h = 1, kernel_w = 1;
  Index stride_h = 1, stride_w = 1;
  Index padding_h = 0, padding_w = 0;
  Index out_h = 0, out_w = 0;
  bool relu = false;          ///< of the maximum: ReLU before or after it
  bool count_padding = true;  ///< the average divides by the whole window, not by the part inside the image

  /// Bytes for the index of a window's element, counted by rows from 0: an unsigned byte, or a float for windows of
  /// more than 255 elements.
  Index number_bytes() const { return kernel_h * kernel_w < 256 ? 1 : 4; }
};

// T is float or BFloat16; all sums are float's.

/// y [n, out_h, out_w, channels] = the largest of each window, NaN if it has one. `which`, of the shape of y, gets the
/// index of that element in the window: the first of equal ones, or an index of no element where ReLU made it 0. It may
/// be null.
template <class T>
void max_pool2d(const Pool2d& shape, const T* x, T* y, std::byte* which);
/// dx [n, h, w, channels] is overwritten.
template <class T>
void max_pool2d_backward(const Pool2d& shape, const T* dy, const std::byte* which, T* dx);

/// y = the mean of each window, the padding taken as zeros.
template <class T>
void avg_pool2d(const Pool2d& shape, const T* x, T* y);
template <class T>
void avg_pool2d_backward(const Pool2d& shape, const T* dy, T* dx);

/// Windows that cover the image evenly: along an axis of size n, window i of k reaches from floor(i n / k) to
/// ceil((i + 1) n / k), the end not included.
struct AdaptivePool2d {
  Index n = 0, h = 0, w = 0, channels = 0;
  Index out_h = 1, out_w = 1;
};

/// y [n, out_h, out_w, channels] = the mean of each window.
void adaptive_avg_pool2d(const AdaptivePool2d& shape, const float* x, float* y);
void adaptive_avg_pool2d_backward(const AdaptivePool2d& shape, const float* dy, float* dx);

}  // namespace temper::kernels
