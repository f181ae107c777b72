#pragma once

// Attention without the matrix of all scores. Source: Dao et al., "FlashAttention" (2022).

#include <array>
#include <optional>

#include "framework/core/shape.hpp"
#include "framework/kernels/dropout.hpp"
#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Something that broadcasts to the scores [leading..., rows, keys]: a mask or a bias.
template <class T>
struct ScoreOperand {
  const T* data = nullptr;  ///< null for none
  Shape leading;            ///< of the scores
  /// In elements, along the leading axes; below along rows and along keys. 0 where it broadcasts.
  std::array<Index, Shape::max_rank> strides{};
  Index row_stride = 0, key_stride = 0;
};

/// `sequences` times `heads` attentions: q [rows, width], k [keys, width], v [keys, out]. With fewer `kv_heads` than
/// `heads`, neighbouring heads share a head of k and v (grouped-query attention).
struct Attention {
  Index sequences = 1, heads = 1, kv_heads = 1;
  Index rows = 0, keys = 0;  ///< of each sequence; of the longest one where there are offsets
  Index width = 0, out = 0;
  float scale = 1.0f;
  bool causal = false;                    ///< row r sees keys 0 to r
  std::optional<Index> left{}, right{};   ///< row r sees keys r - left to r + right
  ScoreOperand<bool> mask{};              ///< true where a row may see a key
  ScoreOperand<float> bias{};             ///< added to the scaled scores
  const std::int64_t* offsets = nullptr;  ///< [sequences + 1] of packed sequences: where the rows of each begin
  Dropping dropping{};                    ///< of the probabilities
};

/// The strides of an operand, in elements; rows are dense. With offsets, these say where sequences begin, and
/// `sequence` is not used.
struct AttentionLayout {
  Index sequence, head, row;
};
/// The strides of a dense [sequences, heads, rows, width].
inline AttentionLayout dense_layout(Index heads, Index rows, Index width) {
  return {heads * rows * width, rows * width, width};
}

template <class T>
struct AttentionOperand {
  T* data = nullptr;
  AttentionLayout layout{};
};

/// y = dropout(softmax(scale * q k^T + bias, masked)) v. stats [sequences, heads, rows, 2], or [heads, all rows, 2]
/// with offsets, is kept for the backward: each row's largest score and 1 / sum(exp(score - largest)). Returns the
/// index in stats of the first row that sees no key, if there is one; its y is 0. T is float or BFloat16; scores and
/// probabilities are float, and rounded to T only where they are multiplied.
template <class T>
[[nodiscard]] std::optional<Index> attention(const Attention& task, const AttentionOperand<const T>& q,
                                             const AttentionOperand<const T>& k, const AttentionOperand<const T>& v,
                                             const AttentionOperand<T>& y, float* stats);

/// Each may be null. `bias` is [sequences, heads, rows, keys]: the gradient of the bias before the broadcast is summed.
template <class T>
struct AttentionGradients {
  AttentionOperand<T> q, k, v;
  float* bias = nullptr;
};
/// y is the result and dy its gradient, laid out alike.
template <class T>
void attention_backward(const Attention& task, const AttentionOperand<const T>& q, const AttentionOperand<const T>& k,
                        const AttentionOperand<const T>& v, const AttentionOperand<const T>& y, const T* dy,
                        const float* stats, const AttentionGradients<T>& gradients);

}  // namespace temper::kernels
