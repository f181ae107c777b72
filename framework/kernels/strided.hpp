#pragma once

// Elements at regular distances, copied; moved as they are, whatever they mean.

#include <span>

#include "framework/core/shape.hpp"
#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Where the element of a shape stands: at offset + the sum of index * stride. Strides are in elements, and may be
/// negative.
struct Strided {
  Index offset = 0;
  std::array<Index, Shape::max_rank> strides{};
};

/// The strides of a dense tensor.
Strided dense(const Shape& shape);

/// y, dense and of `shape`, = the elements of x that `from` says; elements of 1, 2, 4 or 8 bytes.
void copy_from_strided(const void* x, const Strided& from, const Shape& shape, Index bytes, void* y);
/// The other way: x is dense and of `shape`, and goes to the elements of y that `to` says. No two are the same.
void copy_to_strided(const void* x, const Shape& shape, const Strided& to, Index bytes, void* y);

/// y = x where a column's number minus its row's is at most `diagonal` (`lower`) or at least that, else 0:
/// [matrices, rows, columns].
void triangle(const void* x, Index matrices, Index rows, Index columns, Index diagonal, bool lower, Index bytes,
              void* y);

}  // namespace temper::kernels
