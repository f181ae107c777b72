#pragma once

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// y[i] = weight[ids[i]] for rows of `width` numbers.
template <class T>
void embedding(const T* weight, const std::int64_t* ids, Index count, Index width, T* y);
/// dweight[ids[i]] += dy[i], except for the id `padding`; repeated ids are added in order.
template <class T>
void embedding_backward(const T* dy, const std::int64_t* ids, Index count, Index width, float* dweight,
                        Index padding = -1);

}  // namespace temper::kernels
