#pragma once

#include <cstdint>

#include <temper/tensor/tensor.hpp>

namespace temper {

// Order along an axis, of any dtype; false is smaller than true. Equal numbers stay in the order they had; NaN counts
// as the largest number. The gradient of a value goes to the element it was. All throw: ShapeError when there is no
// such axis.

/// Numbers in order, and the places they had along the axis, as i64.
struct Sorted {
  Tensor values, indices;
};

/// All numbers along an axis, the smallest first, or the largest when `descending`.
Sorted sort(const Tensor& x, int axis = -1, bool descending = false);
/// The places alone: index_select(x, 0, argsort(x)) is sorted.
Tensor argsort(const Tensor& x, int axis = -1, bool descending = false);

struct TopKOptions {
  int axis = -1;
  bool largest = true;  ///< else the smallest
};
/// The k largest numbers along an axis, the largest first. Throws also: ValueError unless 0 <= k <= the axis's size.
Sorted topk(const Tensor& x, std::int64_t k, const TopKOptions& options = {});

}  // namespace temper
