#pragma once

#include "framework/kernels/loss.hpp"

namespace temper::kernels {

/// cross_entropy of x [rows, width] weight^T, weight [classes, width], computed for some rows at a time, so that the
/// logits of all rows are never stored. T is float or BFloat16; logits are float.
template <class T>
[[nodiscard]] bool linear_cross_entropy(const CrossEntropy& task, const T* x, const T* weight, Index width,
                                        float* losses, float* stats);

/// The logits are computed again. dx [rows, width] (overwritten) and dweight [classes, width] (+=) may be null.
template <class T>
void linear_cross_entropy_backward(const CrossEntropy& task, const T* x, const T* weight, Index width,
                                   const float* stats, const float* dy, Index stride_dy, float scale, T* dx,
                                   float* dweight);

}  // namespace temper::kernels
