#pragma once

#include <cstdint>
#include <optional>

#include <temper/tensor/tensor.hpp>

namespace temper {

/// What becomes of a query that sees no key.
enum class EmptyRows {
  error,  ///< a ValueError that says which query it is
  zero    ///< a result of 0 and no gradient, as rows of padding need it
};

/// Query t sees keys t - left to t + right; -1 for no bound.
struct AttentionWindow {
  std::int64_t left = -1, right = -1;
};

struct AttentionOptions {
  Tensor mask = {};                 ///< bool, true where a query may see a key; broadcasts to [..., H, T, S]
  bool causal = false;              ///< query t sees keys 0 to t
  std::optional<float> scale = {};  ///< by default 1 / sqrt(D)
  double dropout = 0.0;             ///< share of the probabilities dropped in training, as dropout() does
  Tensor bias = {};                 ///< f32, added to the scaled scores; broadcasts to [..., H, T, S]; -inf hides a key
  AttentionWindow window = {};
  EmptyRows empty_rows = EmptyRows::error;
};

/// softmax(scale * q k^T + bias) v over the last two axes: q [..., H, T, D], k [..., Hkv, S, D], v [..., Hkv, S, E],
/// result [..., H, T, E]; all f32 or all bf16. The leading axes are the same, but H, the number of heads, may be a
/// multiple of Hkv: query heads h * H / Hkv to (h + 1) * H / Hkv - 1 share head h of keys and values then
/// (grouped-query attention), which are not copied. Two axes are one head.
///
/// What a query does not see has no influence on it, even if it is infinite or NaN. All but the inputs and the result
/// is made block by block; only the gradient of a bias makes the scores [..., H, T, S] exist.
/// Throws: ShapeError when the shapes or the dtypes do not fit; ValueError when a query sees no key and empty_rows does
/// not allow that, for a dropout outside [0, 1), and for a window below -1.
/// Source: Vaswani et al., "Attention is all you need" (2017); of grouped queries: Ainslie et al., "GQA" (2023).
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options = {});

/// The same for several heads of one projection, without taking it apart: projected [N, T, 3 * heads * D] holds
/// queries, keys and values one after the other, and in each the heads. Mask and bias broadcast to [N, heads, T, T];
/// result [N, T, heads * D]. Throws: as scaled_dot_product_attention.
Tensor self_attention(const Tensor& projected, std::int64_t heads, const AttentionOptions& options = {});

/// The same for sequences of different lengths, one after the other without padding: q [tokens, H, D], k [tokens, Hkv,
/// D], v [tokens, Hkv, E], result [tokens, H, E]. Sequence i is tokens offsets[i] to offsets[i + 1] - 1, and sees
/// itself alone; offsets [n + 1] i64 rise from 0 to the number of tokens. Takes no mask and no bias. Throws: as
/// scaled_dot_product_attention; ValueError for other offsets.
Tensor packed_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& offsets,
                        const AttentionOptions& options = {});

}  // namespace temper
