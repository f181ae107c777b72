#include "framework/kernels/pool.hpp"

#include <algorithm>

#include <temper/core/parallel.hpp>

#include "framework/kernels/isa.hpp"

namespace temper::kernels {

namespace {

/// Rows of the output that make a chunk: some microseconds of work.
Index rows_per_chunk(const Pool2d& shape) {
  const Index work = shape.out_w * shape.channels * shape.kernel_h * shape.kernel_w;
  return std::max<Index>(1, (Index{1} << 15) / std::max<Index>(1, work));
}

}  // namespace

void max_pool2d(const Pool2d& shape, const float* x, float* y, float* which) {
  const auto kernel = table().max_pool;
  parallel_for(shape.n * shape.out_h, rows_per_chunk(shape),
               [&](Index begin, Index end) { kernel(shape, begin, end, x, y, which); });
}

void max_pool2d_backward(const Pool2d& shape, const float* dy, const float* which, float* dx) {
  const auto kernel = table().max_pool_backward;
  // Windows may overlap: an image is the smallest piece that is one thread's own.
  parallel_for(shape.n, 1, [&](Index begin, Index end) { kernel(shape, begin, end, dy, which, dx); });
}

void avg_pool2d(const Pool2d& shape, const float* x, float* y) {
  const auto kernel = table().avg_pool;
  parallel_for(shape.n * shape.out_h, rows_per_chunk(shape),
               [&](Index begin, Index end) { kernel(shape, begin, end, x, y); });
}

void avg_pool2d_backward(const Pool2d& shape, const float* dy, float* dx) {
  const auto kernel = table().avg_pool_backward;
  parallel_for(shape.n, 1, [&](Index begin, Index end) { kernel(shape, begin, end, dy, dx); });
}

}  // namespace temper::kernels
