#include "framework/kernels/pool_dilated.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <temper/core/parallel.hpp>

#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

constexpr Index panel = 64;  // channels of a task of the backward

/// The elements of a window that lie inside the image, by their numbers in it.
struct Taps {
  Index start, begin, end;  // `start`: of the window in the image, may be negative

  Taps(Index out, Index stride, Index padding, Index kernel, Index dilation, Index size)
      : start(out * stride - padding),
        begin(start < 0 ? (-start + dilation - 1) / dilation : 0),
        end(std::min(kernel, start < size ? (size - 1 - start) / dilation + 1 : 0)) {}
};

}  // namespace

void max_pool2d_dilated(const Pool2d& s, Index dilation_h, Index dilation_w, const float* x, float* y,
                        std::int64_t* which) {
  parallel_for(s.n * s.out_h, 1, [=](Index begin, Index end) {
    const Scratch<std::int64_t> taken(s.channels);
    for (Index row = begin; row < end; ++row) {
      const float* const image = x + row / s.out_h * s.h * s.w * s.channels;
      const Taps rows(row % s.out_h, s.stride_h, s.padding_h, s.kernel_h, dilation_h, s.h);
      for (Index column = 0; column < s.out_w; ++column) {
        const Taps columns(column, s.stride_w, s.padding_w, s.kernel_w, dilation_w, s.w);
        float* const best = y + (row * s.out_w + column) * s.channels;
        std::fill_n(best, s.channels, -std::numeric_limits<float>::infinity());
        std::fill_n(taken.data(), s.channels, std::int64_t{-1});
        for (Index i = rows.begin; i < rows.end; ++i) {
          for (Index j = columns.begin; j < columns.end; ++j) {
            const Index pixel = (rows.start + i * dilation_h) * s.w + columns.start + j * dilation_w;
            const float* const from = image + pixel * s.channels;
            for (Index c = 0; c < s.channels; ++c) {
              if (taken[c] >= 0 && (from[c] <= best[c] || std::isnan(best[c]))) continue;
              best[c] = from[c];
              taken[c] = pixel;
            }
          }
        }
        if (which != nullptr) std::copy_n(taken.data(), s.channels, which + (row * s.out_w + column) * s.channels);
      }
    }
  });
}

void max_pool2d_dilated_backward(const Pool2d& s, const float* dy, const std::int64_t* which, float* dx) {
  const Index panels = chunk_count(s.channels, panel), pixels = s.h * s.w, windows = s.out_h * s.out_w;
  parallel_for(s.n * panels, 1, [=](Index begin, Index end) {
    for (Index task = begin; task < end; ++task) {
      const Index image = task / panels, first = task % panels * panel, last = std::min(s.channels, first + panel);
      float* const to = dx + image * pixels * s.channels;
      for (Index pixel = 0; pixel < pixels; ++pixel)
        std::fill(to + pixel * s.channels + first, to + pixel * s.channels + last, 0.0f);
      for (Index window = image * windows; window < (image + 1) * windows; ++window) {
        for (Index c = first; c < last; ++c) {
          const Index at = window * s.channels + c;
          if (which[at] >= 0) to[which[at] * s.channels + c] += dy[at];
        }
      }
    }
  });
}

}  // namespace temper::kernels
