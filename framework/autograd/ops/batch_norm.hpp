#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

struct BatchNormOptions {
  float momentum = 0.1f;  ///< weight of the batch in the running averages: r = (1 - momentum) * r + momentum * batch
  float eps = 1e-5f;      ///< added to the variance, inside the square root
  bool frozen = false;    ///< use the running statistics in training too, without updating them
};

/// (x - mean) / sqrt(variance + eps) * weight + bias for each channel: x [..., C] (images [N, H, W, C]) f32 or bf16,
/// as is the result; all others [C] f32. In training mean and variance are those of the batch, and the running
/// statistics are updated (with the unbiased variance); otherwise the running statistics are used.
/// Throws: ShapeError when the shapes do not fit; ValueError for options out of range, and in training for a batch
/// with fewer than two values a channel, which has no variance. Source: Ioffe, Szegedy, "Batch normalization" (2015).
Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor running_mean, Tensor running_var,
                  const BatchNormOptions& options = {});

/// relu(batch_norm(...) + residual) in fewer passes over memory; without the addition where `residual` is undefined.
/// Throws: as batch_norm; ShapeError unless the residual has the shape and dtype of x.
Tensor batch_norm_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor running_mean,
                       Tensor running_var, const BatchNormOptions& options = {}, const Tensor& residual = {});

}  // namespace temper
