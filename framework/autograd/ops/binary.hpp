#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

// Functions of two f32 tensors, which broadcast. All throw: ShapeError for other dtypes and for shapes that do not
// broadcast.

/// The angle from the x axis to the point (x, y), from -pi to pi; its gradient at the origin is 0.
Tensor atan2(const Tensor& y, const Tensor& x);

/// log(e^a + e^b), without overflow.
Tensor logaddexp(const Tensor& a, const Tensor& b);

}  // namespace temper
