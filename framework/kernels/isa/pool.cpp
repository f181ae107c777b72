#include "framework/kernels/pool.hpp"

#include "framework/kernels/isa/fill.hpp"
#include "framework/kernels/isa/isa.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

/// The part of a window that lies inside the image, counted from the window's own start.
struct Span {
  Index start;  // of the window in the image, may be negative
  Index begin, end;
};

Span window(Index out, Index stride, Index padding, Index kernel, Index size) {
  const Index start = out * stride - padding;
  return {start, start < 0 ? -start : 0, start + kernel > size ? size - start : kernel};
}

/// Channels that do not fill a vector are computed with whole vectors that run on into the next pixel, wherever memory
/// goes on: few channels are common, and a partial load costs more than all the rest.
Vec load_some(const float* p, Index count, const float* end) {
  return end - p >= width ? load(p) : load_part(p, count < width ? count : width);
}

/// Pixels are written in ascending order, so what runs over into the next one is overwritten by it.
void store_some(float* p, Vec v, Index count, const float* end) {
  if (end - p >= width) {
    store(p, v);
  } else {
    store_part(p, v, count < width ? count : width);
  }
}

/// Calls f(rows, columns, out, input) for each pixel of rows begin to end of all images' outputs: `out` is the offset
/// of its first channel, `input` that of the first element of its window inside the image.
template <class F>
void each_window(const Pool2d& s, Index begin, Index end, F f) {
  for (Index row = begin; row < end; ++row) {
    const Index image = row / s.out_h;
    const Span rows = window(row % s.out_h, s.stride_h, s.padding_h, s.kernel_h, s.h);
    for (Index column = 0; column < s.out_w; ++column) {
      const Span columns = window(column, s.stride_w, s.padding_w, s.kernel_w, s.w);
      const Index first = (image * s.h + rows.start + rows.begin) * s.w + columns.start + columns.begin;
      f(rows, columns, (row * s.out_w + column) * s.channels, first * s.channels);
    }
  }
}

/// Calls f(offset, number) for each element of a window inside the image.
template <class F>
void each_tap(const Pool2d& s, Span rows, Span columns, F f) {
  for (Index i = rows.begin; i < rows.end; ++i) {
    for (Index j = columns.begin; j < columns.end; ++j) {
      f(((i - rows.begin) * s.w + j - columns.begin) * s.channels, i * s.kernel_w + j);
    }
  }
}

Vec area(const Pool2d& s, Span rows, Span columns) {
  return Vec(static_cast<float>(s.count_padding ? s.kernel_h * s.kernel_w
                                                : (rows.end - rows.begin) * (columns.end - columns.begin)));
}

void max_pool(const Pool2d& s, Index begin, Index end, const float* x, float* y, float* which) {
  const float* const x_end = x + s.n * s.h * s.w * s.channels;
  const Index out_end = end * s.out_w * s.channels;
  each_window(s, begin, end, [&](Span rows, Span columns, Index out, Index input) {
    for (Index c = 0; c < s.channels; c += width) {
      const Index count = s.channels - c;
      const float* const first = x + input + c;
      Vec best = load_some(first, count, x_end), taken(static_cast<float>(rows.begin * s.kernel_w + columns.begin));
      each_tap(s, rows, columns, [&](Index offset, Index number) {
        const Vec v = load_some(first + offset, count, x_end);
        const Mask take = (v > best) | xsimd::isnan(v);
        best = xsimd::select(take, v, best);
        taken = xsimd::select(take, Vec(static_cast<float>(number)), taken);
      });
      store_some(y + out + c, best, count, y + out_end);
      if (which != nullptr) store_some(which + out + c, taken, count, which + out_end);
    }
  });
}

void avg_pool(const Pool2d& s, Index begin, Index end, const float* x, float* y) {
  const float* const x_end = x + s.n * s.h * s.w * s.channels;
  const float* const y_end = y + end * s.out_w * s.channels;
  each_window(s, begin, end, [&](Span rows, Span columns, Index out, Index input) {
    const Vec divisor = area(s, rows, columns);
    for (Index c = 0; c < s.channels; c += width) {
      const Index count = s.channels - c;
      Vec sum(0.0f);
      each_tap(s, rows, columns,
               [&](Index offset, Index) { sum += load_some(x + input + c + offset, count, x_end); });
      store_some(y + out + c, sum / divisor, count, y_end);
    }
  });
}

/// Adds part(dy, out, number) to each element of each window of images begin to end.
template <class Part>
void spread(const Pool2d& s, Index begin, Index end, const float* dy, float* dx, Part part) {
  const Index image_size = s.h * s.w * s.channels;
  const float* const dy_end = dy + s.n * s.out_h * s.out_w * s.channels;
  alignas(64) float numbers[width];
  for (Index i = 0; i < width; ++i) numbers[i] = static_cast<float>(i);
  const Vec lanes = Vec::load_aligned(numbers);
  for (Index image = begin; image < end; ++image) {
    float* const dx_begin = dx + image * image_size;
    float* const dx_end = dx_begin + image_size;
    for (float* p = dx_begin; p < dx_end; ++p) *p = 0.0f;
    each_window(s, image * s.out_h, (image + 1) * s.out_h, [&](Span rows, Span columns, Index out, Index input) {
      const Vec divisor = area(s, rows, columns);
      for (Index c = 0; c < s.channels; c += width) {
        const Index count = s.channels - c;
        // What belongs to the next pixel must not be added to here.
        const Vec g = xsimd::select(lanes < Vec(static_cast<float>(count)), load_some(dy + out + c, count, dy_end), Vec(0.0f));
        const auto share = part(g, divisor, out + c, count);
        each_tap(s, rows, columns, [&](Index offset, Index number) {
          float* const p = dx + input + c + offset;
          store_some(p, load_some(p, count, dx_end) + share(number), count, dx_end);
        });
      }
    });
  }
}

void max_pool_backward(const Pool2d& s, Index begin, Index end, const float* dy, const float* which, float* dx) {
  const float* const which_end = which + s.n * s.out_h * s.out_w * s.channels;
  spread(s, begin, end, dy, dx, [&](Vec g, Vec, Index out, Index count) {
    const Vec taken = load_some(which + out, count, which_end);
    return [=](Index number) { return xsimd::select(taken == Vec(static_cast<float>(number)), g, Vec(0.0f)); };
  });
}

void avg_pool_backward(const Pool2d& s, Index begin, Index end, const float* dy, float* dx) {
  spread(s, begin, end, dy, dx, [](Vec g, Vec divisor, Index, Index) {
    return [part = g / divisor](Index) { return part; };
  });
}

}  // namespace

void fill_pool(IsaTable& table) {
  table.max_pool = max_pool;
  table.max_pool_backward = max_pool_backward;
  table.avg_pool = avg_pool;
  table.avg_pool_backward = avg_pool_backward;
}

}  // namespace temper::kernels::TEMPER_ISA
