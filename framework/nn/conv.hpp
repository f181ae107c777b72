#pragma once

#include <temper/autograd/ops/conv.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

struct Conv2dLayerOptions {
  Pair2 kernel = 1;
  Pair2 stride = 1;
  Padding2 padding = 0;
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
  /// The same with a kernel of kernel x kernel and default options.
  template <std::integral I>
  Conv2d(std::int64_t in, std::int64_t out, I kernel)
      : Conv2d(in, out, Conv2dLayerOptions{.kernel = static_cast<std::int64_t>(kernel)}) {}

  void members(Members& members) const override;
  std::string description() const override;

  /// The layer with another tensor for its weight, one that is computed: see nn::WeightNorm.
  Tensor with_weight(const Tensor& x, const Tensor& other_weight) const;

  Parameter weight;
  Parameter bias;  ///< undefined without bias

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  Conv2dLayerOptions options_;
};

}  // namespace temper::nn
