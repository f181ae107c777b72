#pragma once

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Which half of a row goes through the function: the first, as in SwiGLU, or the second, as in GLU.
enum class Gate { first, second };

/// y [rows, width] = f(gate) * value for the two halves of x [rows, 2 * width].
template <class T>
void gated(Unary f, Gate gate, const T* x, Index rows, Index width, T* y);
/// dx [rows, 2 * width] is overwritten.
template <class T>
void gated_backward(Unary f, Gate gate, const T* x, const T* dy, Index rows, Index width, T* dx);

}  // namespace temper::kernels
