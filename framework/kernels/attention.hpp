#pragma once

#include <array>

#include "framework/core/shape.hpp"
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
};

/// y = softmax(scale * q k^T, masked) v. Returns whether some row sees no key.
[[nodiscard]] bool attention(const Attention& task, const float* q, const float* k, const float* v, float* y);

/// Each of dq, dk and dv may be null.
void attention_backward(const Attention& task, const float* q, const float* k, const float* v, const float* dy,
                        float* dq, float* dk, float* dv);

}  // namespace temper::kernels
