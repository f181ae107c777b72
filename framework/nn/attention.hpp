#pragma once

#include <temper/autograd/ops/attention.hpp>
#include <temper/nn/linear.hpp>
#include <temper/nn/module.hpp>

namespace temper::nn {

struct MultiheadAttentionOptions {
  std::int64_t heads = 1;
  bool causal = false;  ///< a position sees itself and the ones before it
  bool bias = true;
  double dropout = 0.0;  ///< probability with which attention probabilities are dropped in training
  EmptyRows empty_rows = EmptyRows::error;  ///< what a query gets that sees no token, as with causal and padding on the left
};

/// Which tokens the queries of MultiheadAttention may see; by default all. Masks are bool, true for visible tokens.
/// (The masks of torch.nn.MultiheadAttention are true for hidden tokens: negate them.)
struct AttentionMasks {
  Tensor visible_keys = {};  ///< [N, S]: the tokens of each sequence that any query may see, such as all but padding
  Tensor visible = {};       ///< [T, S] or [N, heads, T, S] (sizes of 1 broadcast): the tokens that each query may see
};

/// Scaled dot-product attention of several heads between linear projections: x [N, T, E] to [N, T, E]. Parameters
/// in_proj_weight [3E, E], in_proj_bias [3E], out_proj.weight [E, E], out_proj.bias [E], named, shaped and initialized
/// as in PyTorch. Source: Vaswani et al., "Attention is all you need" (2017).
class MultiheadAttention : public Layer {
 public:
  /// Throws: ValueError unless `heads` divides the features and 0 <= dropout < 1.
  MultiheadAttention(std::int64_t features, MultiheadAttentionOptions options);

  /// Self-attention; see Layer.
  using Layer::operator();
  /// The queries [N, T, E] attend to other tokens [N, S, E], or to themselves when both are the same tensor. A token is
  /// visible if both masks say so. Throws: ShapeError when shapes do not fit; ValueError when a query sees no
  /// token, unless `empty_rows` says otherwise.
  Tensor operator()(const Tensor& queries, const Tensor& tokens, const AttentionMasks& masks = {}) const;

  void members(Members& members) const override;
  std::string description() const override;

  Parameter in_proj_weight;
  Parameter in_proj_bias;  ///< undefined without bias
  Linear out_proj;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  void check(const Tensor& x) const;
  Tensor attend_to_itself(const Tensor& x, const Tensor& mask) const;
  Tensor project(const Tensor& x, std::int64_t first, std::int64_t count) const;
  Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) const;
  AttentionOptions attention_options(const Tensor& mask) const;

  MultiheadAttentionOptions options_;
};

}  // namespace temper::nn
