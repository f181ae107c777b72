#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

/// x with elements of another dtype: f32 and bf16, which rounds to the nearest. x itself when it has that dtype.
/// Throws: ShapeError for other dtypes.
Tensor to(const Tensor& x, Dtype dtype);

}  // namespace temper
