#pragma once

// Activations beside those of activation.hpp; the operations of the same names say more.

#include <temper/nn/module.hpp>

namespace temper::nn {

/// x * tanh(softplus(x)), elementwise.
class Mish : public Layer {
 public:
  std::string description() const override { return "Mish"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// elu with the constants that keep mean 0 and variance 1, elementwise.
class SELU : public Layer {
 public:
  std::string description() const override { return "SELU"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// x / (1 + |x|), elementwise.
class Softsign : public Layer {
 public:
  std::string description() const override { return "Softsign"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// clamp(x + 3, 0, 6) / 6, elementwise.
class Hardsigmoid : public Layer {
 public:
  std::string description() const override { return "Hardsigmoid"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// x times its Hardsigmoid, elementwise.
class Hardswish : public Layer {
 public:
  std::string description() const override { return "Hardswish"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// x from 0 to 6, else the nearer of them, elementwise.
class ReLU6 : public Layer {
 public:
  std::string description() const override { return "ReLU6"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// log(sigmoid(x)), elementwise.
class LogSigmoid : public Layer {
 public:
  std::string description() const override { return "LogSigmoid"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// x - tanh(x), elementwise.
class Tanhshrink : public Layer {
 public:
  std::string description() const override { return "Tanhshrink"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// x, or alpha * (e^x - 1) below zero, elementwise.
class ELU : public Layer {
 public:
  explicit ELU(float alpha = 1.0f) : alpha_(alpha) {}
  std::string description() const override;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  float alpha_;
};

/// x, or alpha * (e^(x / alpha) - 1) below zero, elementwise.
class CELU : public Layer {
 public:
  explicit CELU(float alpha = 1.0f) : alpha_(alpha) {}
  std::string description() const override;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  float alpha_;
};

/// What |x| exceeds lambda by, with the sign of x, elementwise.
class Softshrink : public Layer {
 public:
  explicit Softshrink(float lambda = 0.5f) : lambda_(lambda) {}
  std::string description() const override;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  float lambda_;
};

/// x where |x| exceeds lambda, else 0, elementwise.
class Hardshrink : public Layer {
 public:
  explicit Hardshrink(float lambda = 0.5f) : lambda_(lambda) {}
  std::string description() const override;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  float lambda_;
};

/// x from min to max, else the nearer of them, elementwise.
class Hardtanh : public Layer {
 public:
  explicit Hardtanh(float min = -1.0f, float max = 1.0f) : min_(min), max_(max) {}
  std::string description() const override;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  float min_, max_;
};

/// x where it exceeds the threshold, else `value`, elementwise.
class Threshold : public Layer {
 public:
  Threshold(float threshold, float value) : threshold_(threshold), value_(value) {}
  std::string description() const override;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  float threshold_, value_;
};

/// x above zero, weight * x below; the weight is learned: one for all, or one for each of the last axis.
class PReLU : public Layer {
 public:
  /// Throws: ValueError unless `features` is at least 1.
  explicit PReLU(std::int64_t features = 1, float initial = 0.25f);

  void members(Members& members) const override;
  std::string description() const override;

  Parameter weight;  ///< [features]

 protected:
  Tensor forward(const Tensor& x) const override;
};

/// The first half of the last axis times the sigmoid of the second.
class GLU : public Layer {
 public:
  std::string description() const override { return "GLU"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

}  // namespace temper::nn
