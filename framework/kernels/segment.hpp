#pragma once

// Sums, means and extremes of consecutive rows, and of rows that a list names: segment s reaches from offsets[s] to
// offsets[s + 1]. A segment of nothing gives 0. Sums are float's, in fixed order.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

enum class Segment { sum, mean, largest, smallest };

/// y [segments, width] = of the rows x [rows, width]. NaN wins.
void reduce_segments(Segment op, const float* x, const std::int64_t* offsets, Index segments, Index width, float* y);
/// dx [rows, width]; those equal to the extreme share its gradient. Rows in no segment get 0.
void reduce_segments_backward(Segment op, const float* x, const float* y, const float* dy, const std::int64_t* offsets,
                              Index segments, Index rows, Index width, float* dx);

/// Which rows of a table belong together.
struct Bags {
  const std::int64_t *ids, *offsets;
  const float* scale;  ///< [ids], what each row is multiplied by; null for 1
  Index bags, count;   ///< of bags, and of ids
  Index padding = -1;  ///< an id that counts as not there
};

/// y [bags, width] = of the rows weight[ids[i]]. `which` [bags, width] gets the place in ids of each largest number, -1
/// for none; it is null for the others. T is float or BFloat16.
template <class T>
void embedding_bag(Segment op, const Bags& bags, const T* weight, Index width, T* y, std::int64_t* which);
/// dweight += ; dweight of T's rows is float.
template <class T>
void embedding_bag_backward(Segment op, const Bags& bags, const T* dy, const std::int64_t* which, Index width,
                            float* dweight);
/// share [bags, width] = dy over how many ids of its bag count.
template <class T>
void share_bags(const Bags& bags, const T* dy, Index width, float* share);
/// dscale [ids] = the products of rows and of their bag's gradient.
template <class T>
void embedding_bag_scale_backward(const Bags& bags, const T* weight, const T* dy, Index width, float* dscale);

}  // namespace temper::kernels
