#pragma once

#include <optional>

#include <temper/tensor/tensor.hpp>

namespace temper {

struct AttentionOptions {
  Tensor mask = {};                 ///< bool, true where a query may see a key; broadcasts to [..., T, S]
  bool causal = false;              ///< query t sees keys 0 to t
  std::optional<float> scale = {};  ///< by default 1 / sqrt(D)
  double dropout = 0.0;             ///< share of the probabilities dropped in training, as dropout() does
};

/// softmax(scale * q k^T) v over the last two axes: q [..., T, D], k [..., S, D], v [..., S, E], result [..., T, E];
/// all f32 or all bf16. Throws: ShapeError when the shapes or the dtypes do not fit; ValueError when a query sees no
/// key, or for a dropout outside [0, 1).
/// Source: Vaswani et al., "Attention is all you need" (2017).
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options = {});

/// The same for several heads of one projection, without taking it apart: projected [N, T, 3 * heads * D] holds
/// queries, keys and values one after the other, and in each the heads. The mask broadcasts to [N, heads, T, T]; result
/// [N, T, heads * D]. Throws: as scaled_dot_product_attention.
Tensor self_attention(const Tensor& projected, std::int64_t heads, const AttentionOptions& options = {});

}  // namespace temper
