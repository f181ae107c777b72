#include "framework/kernels/pool.hpp"

#include <algorithm>

#include <temper/core/parallel.hpp>

#include "framework/kernels/isa.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

/// Rows of the output in a chunk, for some microseconds of work.
Index rows_per_chunk(const Pool2d& shape) {
  const Index work = shape.out_w * shape.channels * shape.kernel_h * shape.kernel_w;
  return std::max<Index>(1, (Index{1} << 15) / std::max<Index>(1, work));
}

/// Rows of the input in a chunk, for as much work.
Index input_rows_per_chunk(const Pool2d& shape) {
  return std::max<Index>(1, rows_per_chunk(shape) * shape.h / shape.out_h);
}

/// The positions along an axis of `size` that output `i` of `count` covers.
struct Window {
  Index begin, end;

  Window(Index i, Index size, Index count) : begin(i * size / count), end(chunk_count((i + 1) * size, count)) {}
  Index size() const { return end - begin; }
};
/// The outputs whose windows cover position `i`.
Window windows_over(Index i, Index size, Index count) {
  return {i, count, size};  // i < ceil((o + 1) size / count) and floor(o size / count) <= i, solved for o
}

}  // namespace

template <class T>
void max_pool2d(const Pool2d& shape, const T* x, T* y, std::byte* which) {
  const auto kernel = table_of<T>().max_pool;
  parallel_for(shape.n * shape.out_h, rows_per_chunk(shape),
               [&](Index begin, Index end) { kernel(shape, begin, end, x, y, which); });
}
template void max_pool2d(const Pool2d&, const float*, float*, std::byte*);
template void max_pool2d(const Pool2d&, const BFloat16*, BFloat16*, std::byte*);

template <class T>
void max_pool2d_backward(const Pool2d& shape, const T* dy, const std::byte* which, T* dx) {
  const auto kernel = table_of<T>().max_pool_backward;
  parallel_for(shape.n * shape.h, input_rows_per_chunk(shape),
               [&](Index begin, Index end) { kernel(shape, begin, end, dy, which, dx); });
}
template void max_pool2d_backward(const Pool2d&, const float*, const std::byte*, float*);
template void max_pool2d_backward(const Pool2d&, const BFloat16*, const std::byte*, BFloat16*);

template <class T>
void avg_pool2d(const Pool2d& shape, const T* x, T* y) {
  const auto kernel = table_of<T>().avg_pool;
  parallel_for(shape.n * shape.out_h, rows_per_chunk(shape),
               [&](Index begin, Index end) { kernel(shape, begin, end, x, y); });
}
template void avg_pool2d(const Pool2d&, const float*, float*);
template void avg_pool2d(const Pool2d&, const BFloat16*, BFloat16*);

template <class T>
void avg_pool2d_backward(const Pool2d& shape, const T* dy, T* dx) {
  const auto kernel = table_of<T>().avg_pool_backward;
  parallel_for(shape.n * shape.h, input_rows_per_chunk(shape),
               [&](Index begin, Index end) { kernel(shape, begin, end, dy, dx); });
}
template void avg_pool2d_backward(const Pool2d&, const float*, float*);
template void avg_pool2d_backward(const Pool2d&, const BFloat16*, BFloat16*);

// Sums are in double, because a window may be as large as the image, and many windows may cover one pixel.

void adaptive_avg_pool2d(const AdaptivePool2d& s, const float* x, float* y) {
  const auto sum_rows = table().sum_rows;
  parallel_for(s.n * s.out_h * s.out_w, 1, [&](Index number, Index) {
    const Window rows(number / s.out_w % s.out_h, s.h, s.out_h), columns(number % s.out_w, s.w, s.out_w);
    const Scratch<float> part(s.channels);
    const Scratch<double> total(s.channels);
    std::fill_n(total.data(), s.channels, 0.0);
    for (Index row = rows.begin; row < rows.end; ++row) {
      const float* const line = x + (number / (s.out_h * s.out_w) * s.h + row) * s.w * s.channels;
      for (Index column = columns.begin; column < columns.end; column += 32) {
        const Index count = std::min<Index>(32, columns.end - column);
        sum_rows(line + column * s.channels, count, s.channels, s.channels, part.data());
        for (Index c = 0; c < s.channels; ++c) total[c] += static_cast<double>(part[c]);
      }
    }
    const double factor = 1.0 / static_cast<double>(rows.size() * columns.size());
    for (Index c = 0; c < s.channels; ++c) y[number * s.channels + c] = static_cast<float>(total[c] * factor);
  });
}

void adaptive_avg_pool2d_backward(const AdaptivePool2d& s, const float* dy, float* dx) {
  parallel_for(s.n * s.h, 1, [&](Index line, Index) {
    const Window rows = windows_over(line % s.h, s.h, s.out_h);
    const Scratch<double> total(s.channels);
    for (Index column = 0; column < s.w; ++column) {
      const Window columns = windows_over(column, s.w, s.out_w);
      std::fill_n(total.data(), s.channels, 0.0);
      for (Index i = rows.begin; i < rows.end; ++i) {
        for (Index j = columns.begin; j < columns.end; ++j) {
          const Index area = Window(i, s.h, s.out_h).size() * Window(j, s.w, s.out_w).size();
          const double factor = 1.0 / static_cast<double>(area);
          const float* const gradient = dy + ((line / s.h * s.out_h + i) * s.out_w + j) * s.channels;
          for (Index c = 0; c < s.channels; ++c) total[c] += factor * static_cast<double>(gradient[c]);
        }
      }
      for (Index c = 0; c < s.channels; ++c) dx[(line * s.w + column) * s.channels + c] = static_cast<float>(total[c]);
    }
  });
}

}  // namespace temper::kernels
