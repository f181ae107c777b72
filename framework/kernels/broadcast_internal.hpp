#pragma once

// Iteration over up to three operands whose shapes broadcast.

#include <algorithm>
#include <array>

#include "framework/core/parallel.hpp"
#include "framework/core/shape.hpp"
#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

inline constexpr Index elementwise_grain = 1 << 14;  // elements a chunk: some microseconds of work

/// The axes of the result with the operands' strides. Neighbouring axes that are contiguous in all operands are merged.
template <int operands>
class Broadcast {
 public:
  using Strides = std::array<Index, operands>;

  Broadcast(const Shape& y, const std::array<const Shape*, operands>& shapes) : count_(y.numel()) {
    Strides stride;
    stride.fill(1);
    for (int back = 1; back <= y.rank(); ++back) {
      Axis axis{y[-back], {}};
      for (std::size_t i = 0; i < operands; ++i) {
        const Index size = back <= shapes[i]->rank() ? (*shapes[i])[-back] : 1;
        axis.stride[i] = size == 1 ? 0 : stride[i];
        stride[i] *= size;
      }
      if (axis.size != 1 && !merged(axis)) axes_[static_cast<std::size_t>(rank_++)] = axis;
    }
    if (rank_ == 0) axes_[static_cast<std::size_t>(rank_++)] = {1, {}};
  }

  /// Calls run(offsets, strides, begin, n) for runs along the innermost axis, in parallel: elements begin to begin + n
  /// of the result; operand i starts at offsets[i] and has the stride strides[i], which is 0 or 1.
  template <class Run>
  void for_each_run(Run&& run) const {
    if (count_ == 0) return;
    const Axis& inner = axes_[0];
    const Index pieces = chunk_count(inner.size, elementwise_grain);
    const Index runs = count_ / inner.size * pieces;
    const Index runs_per_chunk = pieces > 1 ? 1 : std::max<Index>(1, elementwise_grain / inner.size);
    parallel_for(runs, runs_per_chunk, [&](Index begin, Index end) {
      for (Index i = begin; i < end; ++i) {
        const Index row = i / pieces, first = i % pieces * elementwise_grain;
        Strides offset;
        for (std::size_t k = 0; k < operands; ++k) offset[k] = first * inner.stride[k];
        Index rest = row;
        for (int axis = 1; axis < rank_; ++axis) {
          const Axis& outer = axes_[static_cast<std::size_t>(axis)];
          for (std::size_t k = 0; k < operands; ++k) offset[k] += rest % outer.size * outer.stride[k];
          rest /= outer.size;
        }
        run(offset, inner.stride, row * inner.size + first, std::min(elementwise_grain, inner.size - first));
      }
    });
  }

 private:
  struct Axis {
    Index size;
    Strides stride;
  };

  bool merged(const Axis& axis) {
    if (rank_ == 0) return false;
    Axis& inner = axes_[static_cast<std::size_t>(rank_ - 1)];
    for (std::size_t i = 0; i < operands; ++i) {
      if (axis.stride[i] != inner.stride[i] * inner.size) return false;
    }
    inner.size *= axis.size;
    return true;
  }

  std::array<Axis, Shape::max_rank> axes_;  // innermost first
  int rank_ = 0;
  Index count_;
};

}  // namespace temper::kernels
