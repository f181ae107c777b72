#pragma once

#include <cstdint>
#include <vector>

#include <temper/tensor/tensor.hpp>

namespace temper {

/// Counts of a tensor's values in cells of equal width between its smallest and its largest finite one.
struct Histogram {
  double low = 0, high = 0;       ///< the smallest and the largest value; the cells divide what is between
  double mean = 0, deviation = 0;  ///< of all finite values
  std::int64_t bad = 0;           ///< values that are not finite, which are in no cell
  std::vector<std::int64_t> counts{};  ///< of the cells, from the lowest

  /// Of f32 or bf16 values. Throws: ValueError for another dtype, or below one cell.
  static Histogram of(const Tensor& x, int cells = 32);
};

}  // namespace temper
