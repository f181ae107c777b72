#pragma once

#include <temper/autograd/ops/conv.hpp>
#include <temper/autograd/ops/pool.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

struct Conv2dLayerOptions {
  Pair2 kernel = 1;
  Pair2 stride = 1;
  Pair2 padding = 0;
  Pair2 dilation = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

/// 2-D convolution of images [N, H, W, in] to [N, H', W', out]; weight [out, in / groups, kh, kw] and bias [out],
/// shaped and initialized as in PyTorch.
class Conv2d : public Layer {
 public:
  /// Throws: ValueError unless sizes are positive and `groups` divides both channel counts.
  Conv2d(std::int64_t in, std::int64_t out, Conv2dLayerOptions options);

  void members(Members& members) const override;
  std::string description() const override;

  Parameter weight;
  Parameter bias;  ///< undefined without bias

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  Conv2dLayerOptions options_;
};

/// The largest entry of every window. Images [N, H, W, C] to [N, H', W', C].
class MaxPool2d : public Layer {
 public:
  /// Windows of kernel x kernel that do not overlap.
  explicit MaxPool2d(std::int64_t kernel) : MaxPool2d(PoolOptions{.kernel = kernel}) {}
  explicit MaxPool2d(PoolOptions options) : options_(options) {}

  std::string description() const override;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  PoolOptions options_;
};

}  // namespace temper::nn
