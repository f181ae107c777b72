#pragma once

#include <cstdint>
#include <optional>

#include <temper/tensor/tensor.hpp>

namespace temper {

/// The result for a query that sees no key.
enum class EmptyRows {
  error,  ///< a ValueError that names the query
  zero    ///< 0, and no gradient: for rows of padding
};

/// Query t sees keys t - left to t + right; -1 for no bound.
struct AttentionWindow {
  std::int64_t left = -1, right = -1;
};

struct AttentionOptions {
  Tensor mask = {};                 ///< bool, true where a query may see a key; broadcasts to [..., H, T, S]
  bool causal = false;              ///< query t sees keys 0 to t
  std::optional<float> scale = {};  ///< by default 1 / sqrt(D)
  double dropout = 0.0;             ///< probability with which attention probabilities are dropped in training
  Tensor bias = {};                 ///< f32, added to the scaled scores; broadcasts to [..., H, T, S]; -inf hides a key
  AttentionWindow window = {};
  EmptyRows empty_rows = EmptyRows::error;
};

/// softmax(scale * q k^T + bias) v over the last two axes: q [..., H, T, D], k [..., Hkv, S, D], v [..., Hkv, S, E],
/// result [..., H, T, E]; all f32 or all bf16. The leading axes are the same, but H, the number of heads, may be a
/// multiple of Hkv: query heads h * H / Hkv to (h + 1) * H / Hkv - 1 share head h of keys and values then
/// (grouped-query attention), which are not copied. Two axes are one head.
///
/// Keys and values that a query does not see do not influence it, even if they are infinite or NaN. The scores are
/// computed in blocks and never stored as a whole, except for the gradient of a bias, [..., H, T, S].
/// Throws: ShapeError when the shapes or the dtypes do not fit; ValueError when a query sees no key and empty_rows does
/// not allow that, for a dropout outside [0, 1), and for a window below -1.
/// Source: Vaswani et al., "Attention is all you need" (2017); of grouped queries: Ainslie et al., "GQA" (2023).
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    const AttentionOptions& options = {});

/// The same for the heads of one projection, read in place: projected [N, T, 3 * heads * D] holds the queries of all
/// heads, then the keys, then the values. Mask and bias broadcast to [N, heads, T, T]; result [N, T, heads * D].
/// Throws: as scaled_dot_product_attention.
Tensor self_attention(const Tensor& projected, std::int64_t heads, const AttentionOptions& options = {});

/// The same for sequences of different lengths, one after the other without padding: q [tokens, H, D], k [tokens, Hkv,
/// D], v [tokens, Hkv, E], result [tokens, H, E]. Sequence i is tokens offsets[i] to offsets[i + 1] - 1, which attend
/// only to each other; offsets [n + 1] i64 rise from 0 to the number of tokens. Takes no mask and no bias. Throws: as
/// scaled_dot_product_attention; ValueError for other offsets.
Tensor packed_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& offsets,
                        const AttentionOptions& options = {});

}  // namespace temper
