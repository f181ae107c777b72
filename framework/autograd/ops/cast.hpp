#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

/// x converted between f32 and bf16, rounded to the nearest (ties to even). x itself when it has that dtype.
/// Throws: ShapeError for other dtypes.
Tensor to(const Tensor& x, Dtype dtype);

}  // namespace temper
