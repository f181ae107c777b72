#pragma once

// Batch normalization of NHWC images, per channel over everything else.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// All sizes of a batch normalization, each at least 1.
struct BatchNorm {
  Index n = 1, h = 1, w = 1, channels = 1;
  float epsilon = 1e-5f;
};

/// y = (x - mean) / sqrt(variance + epsilon) * gain + bias, with the batch's own mean and (biased) variance, which are
/// given back. All parameters are [channels]. Bits may depend on the number of threads.
void batch_norm_train(const BatchNorm& shape, const float* x, const float* gain, const float* bias, float* y,
                      float* mean, float* variance);
/// The same with statistics given.
void batch_norm_apply(const BatchNorm& shape, const float* x, const float* gain, const float* bias, const float* mean,
                      const float* variance, float* y);
/// dx, dgain, dbias = the gradients of either; `own_statistics` when they were the batch's, which depend on x.
void batch_norm_backward(const BatchNorm& shape, bool own_statistics, const float* x, const float* gain,
                         const float* mean, const float* variance, const float* dy, float* dx, float* dgain,
                         float* dbias);

}  // namespace temper::kernels
