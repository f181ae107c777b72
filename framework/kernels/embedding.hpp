#pragma once

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// y[i] = weight[ids[i]] for rows of `width` numbers.
void embedding(const float* weight, const std::int64_t* ids, Index count, Index width, float* y);
/// dweight[ids[i]] += dy[i]; repeated ids add up in order.
void embedding_backward(const float* dy, const std::int64_t* ids, Index count, Index width, float* dweight);

}  // namespace temper::kernels
