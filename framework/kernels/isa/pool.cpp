#include "framework/kernels/pool.hpp"

#include "framework/core/mutants_internal.hpp"
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

/// How vectors of channels are read and written: whole ones, or the last few of a pixel.
struct Whole {
  Vec load(const float* p) const { return TEMPER_ISA::load(p); }
  void store(float* p, Vec v) const { TEMPER_ISA::store(p, v); }
};

/// The last channels, too few for a vector, are computed with a whole one that runs on into the next pixel wherever
/// memory goes on: few channels are common, and a partial load costs more than all the rest. Pixels are written in
/// ascending order, so that what runs over into the next one is overwritten by it.
struct Rest {
  Index count;
  const float* end;
  Vec load(const float* p) const { return end - p >= width ? TEMPER_ISA::load(p) : load_part(p, count); }
  void store(float* p, Vec v) const {
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
  Index input;  // that of the window's first element
  Index rows, columns;
  Index number;  // of that element, counted by rows in the whole window
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

/// Calls f(address, number) for each element of a window; `first` is the first.
template <class Float, class F>
void each_tap(const Pool2d& s, const Pixel& pixel, Float* first, F f) {
  Vec number(static_cast<float>(pixel.number));
  const Vec next(1.0f), next_row(static_cast<float>(s.kernel_w - pixel.columns));
  if (pixel.rows == 2 && pixel.columns == 2) {  // by far the most common
    Float* const second = first + s.w * s.channels;
    const Vec below = number + Vec(static_cast<float>(s.kernel_w));
    f(first, number);
    f(first + s.channels, number + next);
    f(second, below);
    f(second + s.channels, below + next);
    return;
  }
  for (Index i = 0; i < pixel.rows; ++i, first += s.w * s.channels, number += next_row) {
    Float* p = first;
    for (Index j = 0; j < pixel.columns; ++j, p += s.channels, number += next) f(p, number);
  }
}

Vec area(const Pool2d& s, const Pixel& pixel) {
  if (mutant(Mutant::avg_pool_counts_inside)) return Vec(static_cast<float>(pixel.rows * pixel.columns));
  return Vec(static_cast<float>(s.count_padding ? s.kernel_h * s.kernel_w : pixel.rows * pixel.columns));
}

void max_pool(const Pool2d& s, Index begin, Index end, const float* x, float* y, float* which) {
  const Index whole = s.channels / width * width, rest = s.channels - whole;
  const float* const x_end = x + s.n * s.h * s.w * s.channels;
  const Index out_end = end * s.out_w * s.channels;
  each_pixel(s, begin, end, [&](const Pixel& pixel) {
    const auto take = [&](Index c, auto in, auto out, auto out_which) {
      Vec best = in.load(x + pixel.input + c), taken(static_cast<float>(pixel.number));
      each_tap(s, pixel, x + pixel.input + c, [&](const float* p, Vec number) {
        const Vec v = in.load(p);
        const Mask better = (mutant(Mutant::max_pool_last_tie) ? v >= best : v > best) | xsimd::isnan(v);
        best = xsimd::select(better, v, best);
        taken = xsimd::select(better, number, taken);
      });
      if (s.relu) {
        taken = xsimd::select(best <= Vec(0.0f), Vec(-1.0f), taken);
        best = xsimd::select(best < Vec(0.0f), Vec(0.0f), best);
      }
      out.store(y + pixel.out + c, best);
      if (which != nullptr) out_which.store(which + pixel.out + c, taken);
    };
    for (Index c = 0; c < whole; c += width) take(c, Whole{}, Whole{}, Whole{});
    if (rest > 0) take(whole, Rest{rest, x_end}, Rest{rest, y + out_end}, Rest{rest, which + out_end});
  });
}

void avg_pool(const Pool2d& s, Index begin, Index end, const float* x, float* y) {
  const Index whole = s.channels / width * width, rest = s.channels - whole;
  const float* const x_end = x + s.n * s.h * s.w * s.channels;
  const float* const y_end = y + end * s.out_w * s.channels;
  each_pixel(s, begin, end, [&](const Pixel& pixel) {
    const Vec divisor = area(s, pixel);
    const auto mean = [&](Index c, auto in, auto out) {
      Vec sum(0.0f);
      each_tap(s, pixel, x + pixel.input + c, [&](const float* p, Vec) { sum += in.load(p); });
      out.store(y + pixel.out + c, sum / divisor);
    };
    for (Index c = 0; c < whole; c += width) mean(c, Whole{}, Whole{});
    if (rest > 0) mean(whole, Rest{rest, x_end}, Rest{rest, y_end});
  });
}

/// Gives each element of each window of images begin to end its part of the pixel's gradient. share(pixel, c, in), with
/// `in` to read dy's kind of array at channel c, returns part(dy, number).
template <class Share>
void spread(const Pool2d& s, Index begin, Index end, const float* dy, float* dx, Share share) {
  const Index whole = s.channels / width * width, rest = s.channels - whole;
  const Index image_size = s.h * s.w * s.channels;
  const float* const dy_end = dy + s.n * s.out_h * s.out_w * s.channels;
  alignas(64) float lanes[width];
  for (Index i = 0; i < width; ++i) lanes[i] = i < rest ? 1.0f : 0.0f;
  const Mask own = Vec::load_aligned(lanes) > Vec(0.0f);
  for (Index image = begin; image < end; ++image) {
    float* const dx_begin = dx + image * image_size;
    float* const dx_end = dx_begin + image_size;
    for (float* p = dx_begin; p < dx_end; ++p) *p = 0.0f;
    each_pixel(s, image * s.out_h, (image + 1) * s.out_h, [&](const Pixel& pixel) {
      const auto add = [&](Index c, Vec g, auto part, auto in) {
        each_tap(s, pixel, dx + pixel.input + c,
                 [&](float* p, Vec number) { in.store(p, in.load(p) + part(g, number)); });
      };
      for (Index c = 0; c < whole; c += width) add(c, load(dy + pixel.out + c), share(pixel, c, Whole{}), Whole{});
      if (rest > 0) {
        // What belongs to the next pixel is not added here.
        const Rest in{rest, dy_end};
        add(whole, xsimd::select(own, in.load(dy + pixel.out + whole), Vec(0.0f)), share(pixel, whole, in),
            Rest{rest, dx_end});
      }
    });
  }
}

/// Windows that neither overlap nor leave anything out, of whole vectors: each place is written once, and nothing has
/// to be cleared before.
void max_pool_backward_tiled(const Pool2d& s, Index begin, Index end, const float* dy, const float* which, float* dx) {
  each_pixel(s, begin * s.out_h, end * s.out_h, [&](const Pixel& pixel) {
    for (Index c = 0; c < s.channels; c += width) {
      const Vec g = load(dy + pixel.out + c), taken = load(which + pixel.out + c);
      each_tap(s, pixel, dx + pixel.input + c,
               [&](float* p, Vec number) { store(p, xsimd::select(taken == number, g, Vec(0.0f))); });
    }
  });
}

void max_pool_backward(const Pool2d& s, Index begin, Index end, const float* dy, const float* which, float* dx) {
  const bool tiled = s.kernel_h == s.stride_h && s.kernel_w == s.stride_w && s.out_h * s.kernel_h == s.h &&
                     s.out_w * s.kernel_w == s.w && s.padding_h == 0 && s.padding_w == 0;
  if (tiled && s.channels % width == 0) return max_pool_backward_tiled(s, begin, end, dy, which, dx);
  const float* const which_end = which + s.n * s.out_h * s.out_w * s.channels;
  spread(s, begin, end, dy, dx, [&](const Pixel& pixel, Index c, auto in) {
    if constexpr (requires { in.end; }) in.end = which_end;
    const Vec taken = in.load(which + pixel.out + c);
    return [=](Vec g, Vec number) { return xsimd::select(taken == number, g, Vec(0.0f)); };
  });
}

void avg_pool_backward(const Pool2d& s, Index begin, Index end, const float* dy, float* dx) {
  spread(s, begin, end, dy, dx, [&](const Pixel& pixel, Index, auto) {
    return [divisor = area(s, pixel)](Vec g, Vec) { return g / divisor; };
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
