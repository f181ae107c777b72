#pragma once

// Softmax over the middle axis of [outer, n, inner].

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// y = softmax(x), or its logarithm. Returns whether all elements of some line are -inf, which leaves y undefined.
[[nodiscard]] bool softmax(const float* x, Index outer, Index n, Index inner, bool log, float* y);
/// dx from the output y and dy.
void softmax_backward(const float* y, const float* dy, Index outer, Index n, Index inner, bool log, float* dx);

}  // namespace temper::kernels
