#pragma once

#include <temper/autograd/ops/pool.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

/// The largest element of each window. Images [N, H, W, C] to [N, H', W', C]; see max_pool2d.
class MaxPool2d : public Layer {
 public:
  /// Windows of kernel x kernel that do not overlap.
  explicit MaxPool2d(std::int64_t kernel) : MaxPool2d(PoolOptions{.kernel = kernel}) {}
  explicit MaxPool2d(PoolOptions options) : options_(options) {}

  std::string description() const override;

  /// relu of the result, which equals the maximum of relu(x), in fewer passes over memory.
  Tensor relu(const Tensor& x) const;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  PoolOptions options_;
};

/// The mean of each window. Images [N, H, W, C] to [N, H', W', C]; see avg_pool2d.
class AvgPool2d : public Layer {
 public:
  /// Windows of kernel x kernel that do not overlap.
  explicit AvgPool2d(std::int64_t kernel) : AvgPool2d(AvgPoolOptions{.kernel = kernel}) {}
  explicit AvgPool2d(AvgPoolOptions options) : options_(options) {}

  std::string description() const override;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  AvgPoolOptions options_;
};

/// Means over output.h x output.w windows, whatever the size of the image; see adaptive_avg_pool2d.
class AdaptiveAvgPool2d : public Layer {
 public:
  explicit AdaptiveAvgPool2d(Pair2 output) : output_(output) {}

  std::string description() const override;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  Pair2 output_;
};

/// The mean of each channel: images [N, H, W, C] to [N, C].
class GlobalAvgPool2d : public Layer {
 public:
  std::string description() const override { return "GlobalAvgPool2d"; }

 protected:
  Tensor forward(const Tensor& x) const override;
};

}  // namespace temper::nn
