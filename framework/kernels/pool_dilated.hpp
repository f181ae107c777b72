#pragma once

// The largest elements of windows with gaps between their elements.

#include "framework/kernels/pool.hpp"

namespace temper::kernels {

/// y [n, out_h, out_w, channels] = the largest of each window, NaN where there is one. `which`, of the shape of y, gets
/// the number of the image's pixel that was taken, the first of equal ones, -1 for none: a window whose
/// elements are all in the padding gives -inf. It may be null.
void max_pool2d_dilated(const Pool2d& shape, Index dilation_h, Index dilation_w, const float* x, float* y,
                        std::int64_t* which);
/// dx [n, h, w, channels] =
void max_pool2d_dilated_backward(const Pool2d& shape, const float* dy, const std::int64_t* which, float* dx);

}  // namespace temper::kernels
