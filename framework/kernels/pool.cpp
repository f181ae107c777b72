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

/// The same of rows of the input.
Index input_rows_per_chunk(const Pool2d& shape) {
  return std::max<Index>(1, rows_per_chunk(shape) * shape.h / shape.out_h);
}

/// Part of an image that one output of an adaptive pooling covers.
struct Window {
  Index image, top, bottom, left, right;

  float pixels() const { return static_cast<float>((bottom - top) * (right - left)); }

  /// body(pixel), counted over all images.
  template <class Body>
  void each_pixel(const AdaptivePool2d& shape, Body body) const {
    for (Index row = top; row < bottom; ++row) {
      for (Index column = left; column < right; ++column) body((image * shape.h + row) * shape.w + column);
    }
  }
};

Window window_of(const AdaptivePool2d& shape, Index number) {
  const Index column = number % shape.out_w, row = number / shape.out_w % shape.out_h;
  return {number / (shape.out_w * shape.out_h), row * shape.h / shape.out_h,
          chunk_count((row + 1) * shape.h, shape.out_h), column * shape.w / shape.out_w,
          chunk_count((column + 1) * shape.w, shape.out_w)};
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

void adaptive_avg_pool2d(const AdaptivePool2d& shape, const float* x, float* y) {
  const Index channels = shape.channels;
  parallel_for(shape.n * shape.out_h * shape.out_w, 1, [&](Index begin, Index end) {
    for (Index window = begin; window < end; ++window) {
      const Window at = window_of(shape, window);
      float* out = y + window * channels;
      std::fill_n(out, channels, 0.0f);
      at.each_pixel(shape, [&](Index pixel) {
        for (Index c = 0; c < channels; ++c) out[c] += x[pixel * channels + c];
      });
      for (Index c = 0; c < channels; ++c) out[c] /= at.pixels();
    }
  });
}

void adaptive_avg_pool2d_backward(const AdaptivePool2d& shape, const float* dy, float* dx) {
  const Index channels = shape.channels;
  const Index pixels_in = shape.h * shape.w, windows = shape.out_h * shape.out_w;  // of an image
  parallel_for(shape.n, 1, [&](Index begin, Index end) {
    std::fill(dx + begin * pixels_in * channels, dx + end * pixels_in * channels, 0.0f);
    for (Index window = begin * windows; window < end * windows; ++window) {
      const Window at = window_of(shape, window);
      at.each_pixel(shape, [&](Index pixel) {
        for (Index c = 0; c < channels; ++c) dx[pixel * channels + c] += dy[window * channels + c] / at.pixels();
      });
    }
  });
}

}  // namespace temper::kernels
