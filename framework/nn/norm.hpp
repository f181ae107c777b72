#pragma once

#include <temper/autograd/ops/batch_norm.hpp>
#include <temper/autograd/ops/norm.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

struct BatchNorm2dOptions {
  float momentum = 0.1f;  ///< weight of the batch in the running averages: r = (1 - momentum) * r + momentum * batch
  float eps = 1e-5f;
  bool frozen = false;  ///< use the running statistics in training too, without updating them (fine-tuning)
};

/// Normalizes each channel of images [N, H, W, C] over the batch: with the batch's statistics in training, with running
/// ones otherwise. Once weight and bias are frozen (Module::freeze), or after set_frozen(true), it uses the running
/// ones in training too and does not update them. Parameters weight and bias, buffers running_mean and running_var, all
/// [C], as in PyTorch.
class BatchNorm2d : public Layer {
 public:
  /// Throws: ValueError for less than one channel.
  explicit BatchNorm2d(std::int64_t channels, BatchNorm2dOptions options = {});

  void members(Members& members) const override;
  std::string description() const override;
  /// relu(norm(x) + residual), or relu(norm(x)), in fewer passes over memory.
  Tensor relu(const Tensor& x, const Tensor& residual = {}) const;
  const BatchNorm2dOptions& options() const { return options_; }
  /// Whether to use the running statistics in training too, without updating them; weight and bias are still trained.
  void set_frozen(bool frozen) { options_.frozen = frozen; }
  /// Whether the running statistics are used in training: by set_frozen, or because weight and bias are frozen.
  bool frozen() const { return options_.frozen || (weight.frozen() && bias.frozen()); }

  Parameter weight, bias;
  Tensor running_mean, running_var;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  BatchNormOptions op_options() const;

  BatchNorm2dOptions options_;
};

struct LayerNormOptions {
  float eps = 1e-5f;
  bool bias = true;
};

/// Normalizes the last axis: x [..., D]. Parameters weight and bias [D].
class LayerNorm : public Layer {
 public:
  /// Throws: ValueError for less than one feature.
  explicit LayerNorm(std::int64_t features, LayerNormOptions options = {});

  void members(Members& members) const override;
  std::string description() const override;
  /// x + y and its norm, in one pass over memory.
  SumAndNorm add(const Tensor& x, const Tensor& y) const;

  Parameter weight;
  Parameter bias;  ///< undefined without bias

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  float eps_;
};

/// Divides the last axis by its root mean square: x [..., D]. Parameter weight [D].
class RMSNorm : public Layer {
 public:
  /// Throws: ValueError for less than one feature.
  explicit RMSNorm(std::int64_t features, float eps = 1e-5f);

  void members(Members& members) const override;
  std::string description() const override;

  Parameter weight;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  float eps_;
};

}  // namespace temper::nn
