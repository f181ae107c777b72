#pragma once

// Elements picked by their places, and added up at them. What is added to one place is added in the order of the
// source, by one thread: the same bits for any number of threads.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// y[o, j] = x[o, index[j]] for blocks of `bytes`: x [outer, n], y [outer, m].
void take_blocks(const void* x, const std::int64_t* index, Index outer, Index n, Index m, Index bytes, void* y);

// Y is X, or float where X is BFloat16; X may also be std::int64_t, whose sums wrap around.

/// y[o, index[j], i] += x[o, j, i] for x [outer, m, inner], y [outer, n, inner]; with `scale` [m], unless that is null,
/// each row of x times its own.
template <class X, class Y>
void add_blocks_at(const X* x, const std::int64_t* index, const float* scale, Index outer, Index n, Index m,
                   Index inner, Y* y);
/// y[o, index[o, j, i], i] += x[o, j, i] for x [outer, m, inner], y [outer, n, inner].
template <class X, class Y>
void add_elements_at(const X* x, const std::int64_t* index, Index outer, Index n, Index m, Index inner, Y* y);

/// y[o, index[o, j, i], i] = x[o, j, i] for elements of `bytes` (1, 2, 4 or 8); the last one at a place stays.
/// `writer`, unless null, is [outer, n, inner] and gets the j of who wrote.
void put_elements_at(const void* x, const std::int64_t* index, Index outer, Index n, Index m, Index inner, Index bytes,
                     void* y, std::int64_t* writer);

}  // namespace temper::kernels
