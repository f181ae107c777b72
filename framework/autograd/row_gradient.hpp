#pragma once

#include <cstdint>

#include <temper/tensor/tensor.hpp>

namespace temper {

/// The gradient of a table [V, D] of which few rows were used: all others are 0 and take no memory.
struct RowGradient {
  Tensor rows;    ///< i64 [n], the numbers of the rows, ascending and each once
  Tensor values;  ///< f32 [n, D], the gradients of these rows

  bool defined() const { return rows.defined(); }
  /// The same as a tensor [count, D], most of which is 0 as a rule.
  Tensor dense(std::int64_t count) const;
};

/// The sum of two gradients of one table, where either may be undefined.
RowGradient add_rows(const RowGradient& a, const RowGradient& b);

}  // namespace temper
