#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

// Running results along an axis, gathered in f64. All throw: ShapeError when there is no such axis, and for other
// dtypes.

struct CumsumOptions {
  bool reverse = false;    ///< from the end of the axis
  bool exclusive = false;  ///< without the element itself: the first is 0
};
/// The sum of each element and all before it; f32, bf16 or i64.
Tensor cumsum(const Tensor& x, int axis, const CumsumOptions& options = {});

/// The product of each element and all before it; f32. Its gradient is right where elements are 0, too.
Tensor cumprod(const Tensor& x, int axis);

/// log(sum(e^x)) of each element and all before it, without overflow; f32.
Tensor logcumsumexp(const Tensor& x, int axis);

}  // namespace temper
