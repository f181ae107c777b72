#pragma once

// Reductions of f32, and sums of bf16 to f32, viewed as [outer, reduced, inner]. Fixed chunks, partial results combined
// in order: the same bits for any number of threads.

#include "framework/core/shape.hpp"
#include "framework/kernels/isa/table.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

enum class Reduce { sum, largest, smallest };

/// y[outer, inner] = scale * the reduction of x[outer, n, inner] over n. A sum over n = 0 is 0; the others need n > 0.
/// If one of the n is NaN, so is the result.
template <class T>
void reduce(Reduce op, const T* x, Index outer, Index n, Index inner, float scale, float* y);

/// The same over all axes in which y_shape has size 1, or none, and x_shape has a larger size. y_shape broadcasts to
/// x_shape.
template <class T>
void reduce_to(Reduce op, const T* x, const Shape& x_shape, float scale, float* y, const Shape& y_shape);

/// y[cols] = (or +=, when `accumulate`) the sum over the rows of x[rows, cols]: the gradient of a bias. Rows are summed
/// 128 at a time, then the partial sums 128 at a time, so that long sums keep their digits.
template <class T>
void sum_rows(const T* x, Index rows, Index cols, float* y, bool accumulate);

/// sum_rows of a matrix whose rows are made in chunks on several threads: each chunk writes the sum of its own rows to
/// part(chunk), and finish() sums those. Used with parallel_chunks(rows, chunk_rows(), ...).
class SumOfRows {
 public:
  /// Sums nothing unless `wanted`: part() is null then.
  SumOfRows(Index rows, Index cols, bool wanted);

  Index chunk_rows() const { return chunk_rows_; }
  /// Where chunk number `chunk` writes its sums: [cols], uninitialized.
  float* part(Index chunk) const { return parts_.data() != nullptr ? parts_.row(chunk, cols_) : nullptr; }
  /// y [cols] = (or += when `accumulate`) the sums of all rows. y may be null when they are not wanted.
  void finish(float* y, bool accumulate) const;

 private:
  Index rows_, cols_, chunk_rows_;
  Scratch<float> parts_;
};

/// The position of the first largest or smallest of x[outer, n, inner] along n > 0, or of the last one when `last`; of
/// the first NaN when there is one. T is float or std::int64_t.
template <class T>
void arg_extreme(Reduce op, const T* x, Index outer, Index n, Index inner, bool last, std::int64_t* y);

}  // namespace temper::kernels
