#pragma once

// Gradients of tables by rows: which rows a list of ids names, and the sums of what each of them gets.

#include <cstdint>

#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

/// The places of a list of ids, sorted by id; those of one id keep their order.
class Places {
 public:
  /// Ids are 0 to 2^32 - 1, and less than 2^32 of them. Those that equal `padding` are left out.
  Places(const std::int64_t* ids, Index count, Index padding);

  /// How many different ids there are.
  Index rows() const { return rows_; }
  /// Those, ascending.
  const std::int64_t* ids() const { return ids_.data(); }

  /// values [rows, width] = for each id the sum of x[source[place]] over its places, in order; times factor[place].
  /// Without `source` that is x[place], without `factor` 1.
  template <class T>
  void sum(const T* x, Index width, const std::int32_t* source, const float* factor, float* values) const;
  /// The same, of those elements of x whose `which` says that it is this place they are from.
  template <class T>
  void sum_chosen(const T* x, Index width, const std::int32_t* source, const std::int64_t* which, float* values) const;

 private:
  /// Calls f(row, place) for all places; those of a row in order on one thread, after begin(row).
  template <class Begin, class F>
  void each(Index width, Begin begin, F f) const;

  Scratch<std::int64_t> ids_;
  Scratch<std::uint32_t> first_;   // [rows + 1], index of a row's first place
  Scratch<std::uint32_t> places_;  // sorted
  Index rows_ = 0, count_ = 0;
};

}  // namespace temper::kernels
