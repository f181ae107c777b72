#pragma once

#include <optional>

#include <temper/autograd/ops/activation.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

struct LinearOptions {
  bool bias = true;
};

/// A low-rank update beside a Linear's weight: scale * B (A x) is added to the output. See lora().
struct LowRank {
  Parameter a;           ///< "lora_A.weight" [rank, in], f32, rounded to the layer's dtype when it is used
  Parameter b;           ///< "lora_B.weight" [out, rank], likewise
  float scale = 1.0f;    ///< of the update
  double dropout = 0.0;  ///< probability with which elements of x are dropped from it in training
};

/// y = x W^T + b. Input [..., in], output [..., out]; weight [out, in], bias [out], initialized as in PyTorch.
class Linear : public Layer {
 public:
  /// Throws: ValueError unless both sizes are positive.
  Linear(std::int64_t in, std::int64_t out, LinearOptions options = {});

  void members(Members& members) const override;
  std::string description() const override;

  Parameter weight;
  Parameter bias;                   ///< undefined without bias
  std::optional<LowRank> low_rank;  ///< none at first

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
  /// Whether the output is more than one linear operation, or is watched, so that nothing can be fused with it.
  bool apart() const;
};

}  // namespace temper::nn
