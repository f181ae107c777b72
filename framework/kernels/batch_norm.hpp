#pragma once

// Batch normalization per channel, fused with the residual addition and ReLU that often follow it. Our own rather than
// oneDNN's: fused it reads memory less often, and its bits do not depend on the number of threads.

#include <type_traits>

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Both sizes are at least 1. Parameters and statistics are [channels] of float, all else is [rows, channels] of T,
/// float or BFloat16.
struct BatchNorm {
  Index rows = 1, channels = 1;
  float epsilon = 1e-5f;
};

/// The mean and the (biased) variance of each channel, and inverse = 1 / sqrt(variance + epsilon), which is exact even
/// where the variance overflows or underflows in float.
template <class T>
void batch_norm_statistics(const BatchNorm& shape, const T* x, float* mean, float* variance, float* inverse);
void inverse_deviations(const BatchNorm& shape, const float* variance, float* inverse);

/// y = (x - mean) * inverse * gain + bias, plus `residual` unless that is null, then ReLU if `relu`.
template <class T>
void batch_norm(const BatchNorm& shape, const T* x, const float* gain, const float* bias, const float* mean,
                const float* inverse, const std::type_identity_t<T>* residual, bool relu, T* y);

/// What the backward of batch_norm reads.
template <class T>
struct BatchNormInputs {
  const T* x;  ///< null when neither dgain nor statistics of the batch are wanted
  const float *gain, *mean, *inverse;
  const T* y;           ///< null without ReLU
  bool own_statistics;  ///< whether mean and inverse are those of this batch, through which gradients flow to x
};

/// Each of dx, dgain, dbias and dresidual may be null. dresidual may be dy.
template <class T>
void batch_norm_backward(const BatchNorm& shape, const BatchNormInputs<T>& inputs, const T* dy, T* dx, float* dgain,
                         float* dbias, std::type_identity_t<T>* dresidual);

}  // namespace temper::kernels
