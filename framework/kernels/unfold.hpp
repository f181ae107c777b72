#pragma once

// Images as the windows they are made of, and back.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

struct Windows2d {
  Index n, h, w, channels;
  Index kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;
  Index out_h, out_w;

  Index features() const { return channels * kernel_h * kernel_w; }
};

// T is float or BFloat16; all sums are float's.

/// y [n, out_h * out_w, channels * kernel_h * kernel_w] = the elements of each window of x [n, h, w, channels], 0 where
/// it reaches out of the image.
template <class T>
void unfold(const Windows2d& shape, const T* x, T* y);
/// x = the sums of what windows have at each place: the gradient of unfold.
template <class T>
void fold(const Windows2d& shape, const T* y, T* x);

}  // namespace temper::kernels
