#pragma once

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Normalization of each group of neighbouring channels of each example: x [n, places, channels]. All sizes are at
/// least 1. Statistics are [n, groups]; weight and bias [channels], which may be null. T is float or BFloat16.
struct GroupNorm {
  Index n = 1, places = 1, channels = 1, groups = 1;
  float epsilon = 1e-5f;
};

template <class T>
void group_norm(const GroupNorm& shape, const T* x, const float* weight, const float* bias, T* y, float* mean,
                float* inverse);

/// Any of dx (overwritten), dweight and dbias [n, channels] (of each example, to be summed) may be null; x, too, for
/// dbias alone.
template <class T>
void group_norm_backward(const GroupNorm& shape, const T* x, const float* weight, const float* mean,
                         const float* inverse, const T* dy, T* dx, float* dweight, float* dbias);

}  // namespace temper::kernels
