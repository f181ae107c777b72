#pragma once

#include <array>

#include "framework/core/shape.hpp"
#include "framework/kernels/dropout.hpp"
#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// A stack of `matrices` attentions: q [rows, width], k [keys, width], v [keys, out].
struct Attention {
  Index matrices, rows, keys, width, out;
  float scale;
  bool causal;                 ///< row r sees keys 0 to r
  const bool* mask = nullptr;  ///< true where a row may see a key; null for everywhere
  /// Leading axes of the stack, and how far the mask moves along them, along rows and along keys.
  Shape leading;
  std::array<Index, Shape::max_rank> mask_strides{};
  Index mask_row_stride = 0;
  Index mask_key_stride = 0;
  Dropping dropping = {};  ///< of the probabilities
};

/// Where the elements of an operand are: the matrices of the stack one after the other, or, with heads > 0, as
/// [matrices / heads, rows, row_stride] with a head's columns next to each other.
struct AttentionLayout {
  Index heads = 0, row_stride = 0;
};
template <class Float>
struct AttentionOperands {
  Float *q, *k, *v;
  AttentionLayout layout;  ///< of all three
};

/// y = dropped(softmax(scale * q k^T, masked)) v. stats [matrices, rows, 2] is what the backward needs of each row: its
/// largest score and 1 / sum(exp(score - largest)). Returns whether some row sees no key.
/// T is float or BFloat16; scores and probabilities are float, and rounded to T only where they are multiplied.
template <class T>
[[nodiscard]] bool attention(const Attention& task, const AttentionOperands<const T>& x, T* y,
                             const AttentionLayout& y_layout, float* stats);

/// y is the result and dy its gradient, laid out alike. Each of the gradients may be null.
template <class T>
void attention_backward(const Attention& task, const AttentionOperands<const T>& x, const T* y, const T* dy,
                        const AttentionLayout& y_layout, const float* stats, const AttentionOperands<T>& gradients);

}  // namespace temper::kernels
