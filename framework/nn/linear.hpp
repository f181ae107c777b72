#pragma once

#include <temper/autograd/ops/activation.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

struct LinearOptions {
  bool bias = true;
};

/// y = x W^T + b. Input [..., in], output [..., out]; weight [out, in], bias [out], initialized as in PyTorch.
class Linear : public Layer {
 public:
  /// Throws: ValueError unless both sizes are positive.
  Linear(std::int64_t in, std::int64_t out, LinearOptions options = {});

  void members(Members& members) const override;
  std::string description() const override;

  Parameter weight;
  Parameter bias;  ///< undefined without bias

  /// The output with another tensor as the weight, for one that is computed: see nn::WeightNorm.
  Tensor with_weight(const Tensor& x, const Tensor& other_weight) const;

  // The layer and an activation of its output, fused: fewer passes over memory.

  Tensor relu(const Tensor& x) const;
  Tensor gelu(const Tensor& x, GeluForm form = GeluForm::erf) const;
  Tensor silu(const Tensor& x) const;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  Tensor optional_bias() const;
};

}  // namespace temper::nn
