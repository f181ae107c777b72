#pragma once

// Copies into another order. Elements are copied bitwise, whatever their dtype.

#include <span>

#include "framework/core/shape.hpp"
#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// y has the axes of x in the order of `axes`, a permutation of 0 to rank - 1; elements of 1, 2, 4 or 8 bytes.
void permute(const void* x, const Shape& x_shape, std::span<const int> axes, std::size_t element, void* y);

/// Copies `count` blocks of `bytes`, `from_stride` bytes apart, to places `to_stride` bytes apart.
void copy_blocks(const void* from, Index from_stride, void* to, Index to_stride, Index bytes, Index count);

/// The same for blocks of n numbers, added to those at `to`. Y is float or X.
template <class X, class Y>
void add_blocks(const X* from, Index from_stride, Y* to, Index to_stride, Index n, Index count);

/// y[outer, m, inner]: y[o, j, i] = x[o, index[o, j, i], i] for x[outer, n, inner]. Any type of a tensor's elements.
template <class T>
void gather(const T* x, const std::int64_t* index, Index outer, Index n, Index m, Index inner, T* y);
/// dx[o, index[o, j, i], i] += dy[o, j, i]
template <class T>
void gather_backward(const T* dy, const std::int64_t* index, Index outer, Index n, Index m, Index inner, float* dx);

}  // namespace temper::kernels
