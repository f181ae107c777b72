#include "framework/kernels/unfold.hpp"

#include <algorithm>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

template <class T>
void unfold(const Windows2d& s, const T* x, T* y) {
  const Index taps = s.kernel_h * s.kernel_w;
  parallel_for(s.n * s.out_h, 1, [=](Index begin, Index end) {
    for (Index line = begin; line < end; ++line) {
      const T* const image = x + line / s.out_h * s.h * s.w * s.channels;
      for (Index column = 0; column < s.out_w; ++column) {
        T* const to = y + (line * s.out_w + column) * s.features();
        for (Index tap = 0; tap < taps; ++tap) {
          const Index down = line % s.out_h * s.stride_h - s.padding_h + tap / s.kernel_w * s.dilation_h;
          const Index across = column * s.stride_w - s.padding_w + tap % s.kernel_w * s.dilation_w;
          const bool inside = down >= 0 && down < s.h && across >= 0 && across < s.w;
          const T* const from = image + (inside ? (down * s.w + across) * s.channels : 0);
          for (Index c = 0; c < s.channels; ++c) to[c * taps + tap] = inside ? from[c] : T{};
        }
      }
    }
  });
}
template void unfold(const Windows2d&, const float*, float*);
template void unfold(const Windows2d&, const BFloat16*, BFloat16*);

template <class T>
void fold(const Windows2d& s, const T* y, T* x) {
  const Index taps = s.kernel_h * s.kernel_w;
  /// The window that has this place as its element number `tap`, along one axis; -1 for none.
  const auto window = [](Index place, Index tap, Index stride, Index padding, Index dilation, Index count) {
    const Index first = place + padding - tap * dilation;
    return first >= 0 && first % stride == 0 && first / stride < count ? first / stride : -1;
  };
  parallel_for(s.n * s.h, 1, [=](Index begin, Index end) {
    const Scratch<float> sums(s.channels);
    for (Index line = begin; line < end; ++line) {
      for (Index column = 0; column < s.w; ++column) {
        std::fill_n(sums.data(), s.channels, 0.0f);
        for (Index tap = 0; tap < taps; ++tap) {
          const Index i = window(line % s.h, tap / s.kernel_w, s.stride_h, s.padding_h, s.dilation_h, s.out_h);
          const Index j = window(column, tap % s.kernel_w, s.stride_w, s.padding_w, s.dilation_w, s.out_w);
          if (i < 0 || j < 0) continue;
          const T* const from = y + ((line / s.h * s.out_h + i) * s.out_w + j) * s.features() + tap;
          for (Index c = 0; c < s.channels; ++c) sums[c] += widened(from[c * taps]);
        }
        T* const to = x + (line * s.w + column) * s.channels;
        for (Index c = 0; c < s.channels; ++c) to[c] = narrowed<T>(sums[c]);
      }
    }
  });
}
template void fold(const Windows2d&, const float*, float*);
template void fold(const Windows2d&, const BFloat16*, BFloat16*);

}  // namespace temper::kernels
