#pragma once

#include <temper/autograd/ops/activation.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

/// max(x, 0), elementwise.
class ReLU : public Layer {
 public:
  std::string description() const override { return "ReLU"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// x where x > 0, else negative_slope * x.
class LeakyReLU : public Layer {
 public:
  explicit LeakyReLU(float negative_slope = 0.01f) : negative_slope_(negative_slope) {}
  std::string description() const override;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  float negative_slope_;
};

/// x times the standard normal distribution function of x, elementwise; see gelu.
class GELU : public Layer {
 public:
  explicit GELU(GeluForm form = GeluForm::erf) : form_(form) {}
  std::string description() const override { return form_ == GeluForm::erf ? "GELU" : "GELU(tanh)"; }
  GeluForm form() const { return form_; }

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  GeluForm form_;
};

/// x times its sigmoid, elementwise.
class SiLU : public Layer {
 public:
  std::string description() const override { return "SiLU"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// 1 / (1 + e^-x), elementwise.
class Sigmoid : public Layer {
 public:
  std::string description() const override { return "Sigmoid"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// The hyperbolic tangent, elementwise.
class Tanh : public Layer {
 public:
  std::string description() const override { return "Tanh"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// log(1 + e^x), elementwise.
class Softplus : public Layer {
 public:
  std::string description() const override { return "Softplus"; }

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

/// The logarithm of softmax over the last axis.
class LogSoftmax : public Layer {
 public:
  std::string description() const override { return "LogSoftmax"; }

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

/// [N, ...] to [N, features]. The features of images [N, H, W, C] are in the order C, H, W, which PyTorch's weights
/// expect.
class Flatten : public Layer {
 public:
  std::string description() const override { return "Flatten"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

}  // namespace temper::nn
