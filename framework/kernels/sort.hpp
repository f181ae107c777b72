#pragma once

// Order along the middle axis of [outer, n, inner]. T is float or std::int64_t. NaN counts as the largest number, -0 as
// 0; equal numbers stay in the order they had, so that there is one result.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// The numbers of each line in order, and where they stood. Either may be null.
template <class T>
void sort(const T* x, Index outer, Index n, Index inner, bool descending, T* values, std::int64_t* places);

/// The first k <= n of that: [outer, k, inner].
template <class T>
void top(const T* x, Index outer, Index n, Index inner, Index k, bool descending, T* values, std::int64_t* places);

}  // namespace temper::kernels
