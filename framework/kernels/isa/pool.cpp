#include "framework/kernels/pool.hpp"

#include <type_traits>

#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels::TEMPER_ISA {

// Indices of a window's elements are stored as bytes and compared as floats.

static inline Vec load_part(const std::uint8_t* p, Index count) {
  std::uint8_t bytes[width] = {};
  for (Index i = 0; i < count; ++i) bytes[i] = p[i];
  return load(bytes);
}
static inline void store_part(std::uint8_t* p, Vec v, Index count) {
  std::uint8_t bytes[width];
  store(bytes, v);
  for (Index i = 0; i < count; ++i) p[i] = bytes[i];
}

namespace {

/// An index that no element of a window has.
template <class Number>
constexpr float none = std::is_same_v<Number, float> ? -1.0f : 255.0f;

/// The part of a window that lies inside the image, counted from the window's own start.
struct Span {
  Index start;  // of the window in the image, may be negative
  Index begin, end;
};

Span window(Index out, Index stride, Index padding, Index kernel, Index size) {
  const Index start = out * stride - padding;
  return {start, start < 0 ? -start : 0, start + kernel > size ? size - start : kernel};
}

// How vectors of channels are read and written.

/// Channels that fill a vector.
struct Whole {
  template <class T>
  Vec load(const T* p) const {
    return TEMPER_ISA::load(p);
  }
  template <class T>
  void store(T* p, Vec v) const {
    TEMPER_ISA::store(p, v);
  }
};

/// The last channels of a pixel, too few for a vector. They are read and written as a whole vector that reaches into
/// the next pixel, except at the end of the array: few channels are common, and partial loads and stores would take
/// most of the time. Pixels are written in ascending order, so the next one overwrites what reached into it.
template <class T>
struct Rest {
  Index count;
  const T* end;
  Vec load(const T* p) const { return end - p >= width ? TEMPER_ISA::load(p) : load_part(p, count); }
  void store(T* p, Vec v) const {
    if (end - p >= width) {
      TEMPER_ISA::store(p, v);
    } else {
      store_part(p, v, count);
    }
  }
};

/// One pixel of the output and the part of its window that lies inside the image.
struct Pixel {
  Index out;    // offset of its first channel
  Index input;  // offset of the window's first element inside the image
  Index rows, columns;
  Index number;  // index of that element in the whole window, counted by rows
};

/// Calls f(pixel) for rows begin to end of all images' outputs.
template <class F>
void each_pixel(const Pool2d& s, Index begin, Index end, F f) {
  for (Index row = begin; row < end; ++row) {
    const Span rows = window(row % s.out_h, s.stride_h, s.padding_h, s.kernel_h, s.h);
    const Index first_row = (row / s.out_h * s.h + rows.start + rows.begin) * s.w;
    for (Index column = 0; column < s.out_w; ++column) {
      const Span columns = window(column, s.stride_w, s.padding_w, s.kernel_w, s.w);
      f(Pixel{(row * s.out_w + column) * s.channels, (first_row + columns.start + columns.begin) * s.channels,
              rows.end - rows.begin, columns.end - columns.begin, rows.begin * s.kernel_w + columns.begin});
    }
  }
}

/// Calls f(address, index in the window) for each element of a window; `first` is the address of the first.
template <class T, class F>
void each_tap(const Pool2d& s, const Pixel& pixel, const T* first, F f) {
  Vec number(static_cast<float>(pixel.number));
  const Vec next(1.0f), next_row(static_cast<float>(s.kernel_w - pixel.columns));
  if (pixel.rows == 2 && pixel.columns == 2) {  // by far the most common
    const T* const second = first + s.w * s.channels;
    const Vec below = number + Vec(static_cast<float>(s.kernel_w));
    f(first, number);
    f(first + s.channels, number + next);
    f(second, below);
    f(second + s.channels, below + next);
    return;
  }
  for (Index i = 0; i < pixel.rows; ++i, first += s.w * s.channels, number += next_row) {
    const T* p = first;
    for (Index j = 0; j < pixel.columns; ++j, p += s.channels, number += next) f(p, number);
  }
}

/// The plain sum of a small window; LongSum is for large ones.
class ShortSum {
 public:
  void operator+=(Vec v) { sum_ = sum_ + v; }
  Vec value() const { return sum_; }

 private:
  Vec sum_ = Vec(0.0f);
};
bool needs_long_sums(const Pool2d& s) { return s.kernel_h * s.kernel_w > 128; }

/// The divisor of the average over a window of which `rows` and `columns` are inside the image.
Vec area(const Pool2d& s, Index rows, Index columns) {
  return Vec(static_cast<float>(s.count_padding ? s.kernel_h * s.kernel_w : rows * columns));
}

template <class T, class Number>
void max_pool(const Pool2d& s, Index begin, Index end, const T* x, T* y, Number* which) {
  const Index whole = s.channels / width * width, rest = s.channels - whole;
  const T* const x_end = x + s.n * s.h * s.w * s.channels;
  const Index out_end = end * s.out_w * s.channels;
  each_pixel(s, begin, end, [&](const Pixel& pixel) {
    const auto take = [&](Index c, auto in, auto out, auto out_which) {
      Vec best = in.load(x + pixel.input + c), taken(static_cast<float>(pixel.number));
      each_tap(s, pixel, x + pixel.input + c, [&](const T* p, Vec number) {
        const Vec v = in.load(p);
        const Mask better = (v > best) | xsimd::isnan(v);
        best = xsimd::select(better, v, best);
        taken = xsimd::select(better, number, taken);
      });
      if (s.relu) {
        taken = xsimd::select(best <= Vec(0.0f), Vec(none<Number>), taken);
        best = xsimd::select(best < Vec(0.0f), Vec(0.0f), best);
      }
      out.store(y + pixel.out + c, best);
      if (which != nullptr) out_which.store(which + pixel.out + c, taken);
    };
    for (Index c = 0; c < whole; c += width) take(c, Whole{}, Whole{}, Whole{});
    if (rest > 0) take(whole, Rest<T>{rest, x_end}, Rest<T>{rest, y + out_end}, Rest<Number>{rest, which + out_end});
  });
}

template <class Sum, class T>
void avg_pool(const Pool2d& s, Index begin, Index end, const T* x, T* y) {
  const Index whole = s.channels / width * width, rest = s.channels - whole;
  const T* const x_end = x + s.n * s.h * s.w * s.channels;
  const T* const y_end = y + end * s.out_w * s.channels;
  each_pixel(s, begin, end, [&](const Pixel& pixel) {
    const Vec divisor = area(s, pixel.rows, pixel.columns);
    const auto mean = [&](Index c, auto in, auto out) {
      Sum sum;
      each_tap(s, pixel, x + pixel.input + c, [&](const T* p, Vec) { sum += in.load(p); });
      out.store(y + pixel.out + c, sum.value() / divisor);
    };
    for (Index c = 0; c < whole; c += width) mean(c, Whole{}, Whole{});
    if (rest > 0) mean(whole, Rest<T>{rest, x_end}, Rest<T>{rest, y_end});
  });
}

template <class T>
void avg_pool_either(const Pool2d& s, Index begin, Index end, const T* x, T* y) {
  (needs_long_sums(s) ? avg_pool<LongSum, T> : avg_pool<ShortSum, T>)(s, begin, end, x, y);
}

template <class T>
void max_pool_either(const Pool2d& s, Index begin, Index end, const T* x, T* y, std::byte* which) {
  if (s.number_bytes() == 1) return max_pool(s, begin, end, x, y, reinterpret_cast<std::uint8_t*>(which));
  max_pool(s, begin, end, x, y, reinterpret_cast<float*>(which));
}

/// The windows along one axis that cover a position of the padded image.
struct Windows {
  Index first, end;

  Windows(Index place, Index stride, Index kernel, Index count)
      : first(place < kernel ? 0 : (place - kernel) / stride + 1),
        end(place / stride < count ? place / stride + 1 : count) {}

  /// Moves on to the next position. Computing it anew by divisions would take most of the backward's time.
  void advance(Index place, Index stride, Index kernel, Index count) {
    if (first * stride + kernel <= place) ++first;
    if (end < count && end * stride <= place) ++end;
  }
};

/// One pixel of the input and the windows that cover it.
struct Covered {
  Index input;  // offset of its first channel
  Index out;    // offset of the first window's result
  Windows rows, columns;
  Index number;  // its index in the first window
};

/// Calls f(covered) for rows begin to end of all images.
template <class F>
void each_covered(const Pool2d& s, Index begin, Index end, F f) {
  for (Index row = begin; row < end; ++row) {
    const Index image = row / s.h, down = row % s.h + s.padding_h;
    const Windows rows(down, s.stride_h, s.kernel_h, s.out_h);
    Windows columns(s.padding_w, s.stride_w, s.kernel_w, s.out_w);
    for (Index column = 0; column < s.w; ++column) {
      const Index across = column + s.padding_w;
      columns.advance(across, s.stride_w, s.kernel_w, s.out_w);
      f(Covered{(row * s.w + column) * s.channels,
                ((image * s.out_h + rows.first) * s.out_w + columns.first) * s.channels, rows, columns,
                (down - rows.first * s.stride_h) * s.kernel_w + across - columns.first * s.stride_w});
    }
  }
}

/// dx = the sum of part(out, offset of a window's result, its row, its column, index in it) over all windows that cover
/// a pixel. Each pixel is written and rounded once.
template <class Sum, class T, class Part>
void gather(const Pool2d& s, Index begin, Index end, T* dx, Part part) {
  const Index whole = s.channels / width * width, rest = s.channels - whole;
  const T* const dx_end = dx + end * s.w * s.channels;
  each_covered(s, begin, end, [&](const Covered& pixel) {
    const auto sum = [&](Index c, auto out) {
      Sum total;
      Index result_row = pixel.out + c, number_row = pixel.number;
      for (Index i = pixel.rows.first; i < pixel.rows.end; ++i) {
        Index result = result_row, number = number_row;
        for (Index j = pixel.columns.first; j < pixel.columns.end; ++j) {
          total += part(out, result, i, j, number);
          result += s.channels;
          number -= s.stride_w;
        }
        result_row += s.out_w * s.channels;
        number_row -= s.stride_h * s.kernel_w;
      }
      out.store(dx + pixel.input + c, total.value());
    };
    for (Index c = 0; c < whole; c += width) sum(c, Whole{});
    if (rest > 0) sum(whole, Rest<T>{rest, dx_end});
  });
}

/// Loads as many channels as `out` stores, from an array that ends at `end`: a whole vector, or the last of a pixel.
template <class T>
Vec load_as(const Whole& out, const T* p, const T*) {
  return out.load(p);
}
template <class T, class Out>
Vec load_as(const Rest<Out>& out, const T* p, const T* end) {
  return Rest<T>{out.count, end}.load(p);
}

template <class Sum, class T, class Number>
void max_pool_backward(const Pool2d& s, Index begin, Index end, const T* dy, const Number* which, T* dx) {
  const Index results = s.n * s.out_h * s.out_w * s.channels;
  gather<Sum>(s, begin, end, dx, [=](auto out, Index result, Index, Index, Index number) {
    const Mask taken = load_as(out, which + result, which + results) == Vec(static_cast<float>(number));
    return xsimd::select(taken, load_as(out, dy + result, dy + results), Vec(0.0f));
  });
}

template <class T>
void max_pool_backward_either(const Pool2d& s, Index begin, Index end, const T* dy, const std::byte* which, T* dx) {
  if (s.number_bytes() == 1) {
    const auto* const numbers = reinterpret_cast<const std::uint8_t*>(which);
    return (needs_long_sums(s) ? max_pool_backward<LongSum, T, std::uint8_t>
                               : max_pool_backward<ShortSum, T, std::uint8_t>)(s, begin, end, dy, numbers, dx);
  }
  max_pool_backward<LongSum>(s, begin, end, dy, reinterpret_cast<const float*>(which), dx);
}

template <class Sum, class T>
void avg_pool_backward(const Pool2d& s, Index begin, Index end, const T* dy, T* dx) {
  const Index results = s.n * s.out_h * s.out_w * s.channels;
  gather<Sum>(s, begin, end, dx, [&](auto out, Index result, Index row, Index column, Index) {
    const Span rows = window(row, s.stride_h, s.padding_h, s.kernel_h, s.h);
    const Span columns = window(column, s.stride_w, s.padding_w, s.kernel_w, s.w);
    return load_as(out, dy + result, dy + results) / area(s, rows.end - rows.begin, columns.end - columns.begin);
  });
}

template <class T>
void avg_pool_backward_either(const Pool2d& s, Index begin, Index end, const T* dy, T* dx) {
  (needs_long_sums(s) ? avg_pool_backward<LongSum, T> : avg_pool_backward<ShortSum, T>)(s, begin, end, dy, dx);
}

template <class T>
constexpr void fill_storage(StorageTable<T>& table) {
  table.max_pool = max_pool_either<T>;
  table.max_pool_backward = max_pool_backward_either<T>;
  table.avg_pool = avg_pool_either<T>;
  table.avg_pool_backward = avg_pool_backward_either<T>;
}

constexpr void fill(IsaTable& table) {
  fill_storage<float>(table);
  fill_storage(table.bf16);
}

}  // namespace

constexpr IsaTable pool_kernels = filled(fill);

}  // namespace temper::kernels::TEMPER_ISA
