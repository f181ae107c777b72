#pragma once

// What the operations share: checks, and gradients of operands that were broadcast.

#include <temper/autograd/tape.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::detail {

/// Throws unless x is defined and of the dtype: ValueError and ShapeError with the names of operation and argument.
void require(const char* operation, const char* argument, const Tensor& x, Dtype dtype = Dtype::f32);
/// Throws a ValueError unless x is defined.
void require_defined(const char* operation, const char* argument, const Tensor& x);
/// The axis as a number from 0 to rank - 1. Throws: ShapeError with the names of operation and argument.
int require_axis(const char* operation, const char* argument, const Tensor& x, int axis);

/// Gives `gradient`, which has the shape of the result, to an input of `shape` that may have been broadcast to it.
void give_reduced(Gradients& gradients, int input, const Shape& shape, Tensor gradient);

/// Where an elementwise backward writes the gradient it makes of dy: over dy itself when nobody else holds it, which
/// spares a third of the memory traffic; else a new tensor of its shape.
Tensor overwritable(const Tensor& dy);

/// A shape seen from one of its axes: [outer, size, inner].
struct AxisView {
  std::int64_t outer, size, inner;
};
AxisView view_of(const Shape& shape, int axis);

}  // namespace temper::detail
