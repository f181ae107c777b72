#pragma once

#include <temper/nn/module.hpp>

namespace temper::nn {

/// max(x, 0), elementwise.
class ReLU : public Layer {
 public:
  std::string description() const override { return "ReLU"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// x times the normal distribution function of x, elementwise.
/// Source: Hendrycks, Gimpel, "Gaussian error linear units" (2016).
class GELU : public Layer {
 public:
  std::string description() const override { return "GELU"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// Softmax over the last axis.
class Softmax : public Layer {
 public:
  std::string description() const override { return "Softmax"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// Sets elements to zero with probability p and scales the others by 1 / (1 - p), in training only.
/// Source: Srivastava et al., "Dropout" (2014).
class Dropout : public Layer {
 public:
  /// Throws: ValueError unless 0 <= p < 1.
  explicit Dropout(double p = 0.5);
  std::string description() const override;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  double p_;
};

/// [N, ...] to [N, features]. Images [N, H, W, C] come out in the order C, H, W, which is what PyTorch's weights
/// expect.
class Flatten : public Layer {
 public:
  std::string description() const override { return "Flatten"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

}  // namespace temper::nn
