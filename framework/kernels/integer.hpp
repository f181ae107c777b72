#pragma once

// Whole numbers, truth values, and what moves elements of any size; operands broadcast to y_shape.

#include "framework/core/shape.hpp"
#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Sums and products wrap around, as in two's complement. Divisors are not 0; shifts are from 0 to 63 places.
enum class Integer {
  add,
  sub,
  mul,
  maximum,
  minimum,
  bit_and,
  bit_or,
  bit_xor,
  shift_left,
  shift_right,
  floor_divide,
  truncate_divide,
  remainder,
  fmod
};
void integer(Integer op, const std::int64_t* a, const Shape& a_shape, const std::int64_t* b, const Shape& b_shape,
             std::int64_t* y, const Shape& y_shape);

/// The same of floats, for the last four.
void quotient(Integer op, const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, float* y,
              const Shape& y_shape);

enum class Logical { conjunction, disjunction, exclusive };
void logical(Logical op, const bool* a, const Shape& a_shape, const bool* b, const Shape& b_shape, bool* y,
             const Shape& y_shape);

/// y = condition ? a : b, for elements of `bytes` (1, 2, 4 or 8).
void choose_elements(const bool* condition, const Shape& condition_shape, const void* a, const Shape& a_shape,
                     const void* b, const Shape& b_shape, Index bytes, void* y, const Shape& y_shape);

/// y = x, whatever both are: float, std::int64_t or bool. Towards 0; true is 1, and all but 0 is true.
template <class X, class Y>
void cast(const X* x, Y* y, Index n);

/// The sum, the largest or the smallest along n of [outer, n, inner]; n > 0 but for the sum.
void reduce_integers(Integer op, const std::int64_t* x, Index outer, Index n, Index inner, std::int64_t* y);

}  // namespace temper::kernels
