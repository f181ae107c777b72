#pragma once

// Batch normalization per channel, with what often follows it in the same pass: the addition of a residual, ReLU. Ours:
// it reads memory less often than the single operations would, and its bits do not depend on the number of threads.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Both sizes are at least 1. Parameters and statistics are [channels], all else is [rows, channels].
struct BatchNorm {
  Index rows = 1, channels = 1;
  float epsilon = 1e-5f;
};

/// The mean and the (biased) variance of each channel.
void batch_norm_statistics(const BatchNorm& shape, const float* x, float* mean, float* variance);

/// y = (x - mean) / sqrt(variance + epsilon) * gain + bias, plus `residual` unless that is null, then ReLU if `relu`.
void batch_norm(const BatchNorm& shape, const float* x, const float* gain, const float* bias, const float* mean,
                const float* variance, const float* residual, bool relu, float* y);

/// What the backward of batch_norm reads.
struct BatchNormInputs {
  const float *x, *gain, *mean, *variance;
  const float* y;       ///< null without ReLU
  bool own_statistics;  ///< whether they were the batch's, which depend on x
};

/// dgain and dbias are always written; dx and dresidual may be null. dresidual may be dy.
void batch_norm_backward(const BatchNorm& shape, const BatchNormInputs& inputs, const float* dy, float* dx,
                         float* dgain, float* dbias, float* dresidual);

}  // namespace temper::kernels
