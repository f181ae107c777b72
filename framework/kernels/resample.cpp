#include "framework/kernels/resample.hpp"

#include <algorithm>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {
constexpr Index grain = 1 << 14;
}

template <class T>
void resample(const Resampling& axis, const T* x, Index outer, Index inner, T* y) {
  if (inner == 0) return;
  parallel_for(outer * axis.out, std::max<Index>(1, grain / (inner * axis.taps)), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const Resampling::Tap* const taps = axis.of(row % axis.out);
      const T* const from = x + row / axis.out * axis.in * inner;
      T* const to = y + row * inner;
      for (Index i = 0; i < inner; ++i) {
        float sum = 0.0f;
        for (Index tap = 0; tap < axis.taps; ++tap) {
          sum += taps[tap].weight * widened(from[taps[tap].place * inner + i]);
        }
        to[i] = narrowed<T>(sum);
      }
    }
  });
}
template void resample(const Resampling&, const float*, Index, Index, float*);
template void resample(const Resampling&, const BFloat16*, Index, Index, BFloat16*);

template <class T>
void resample_backward(const Resampling& axis, const T* dy, Index outer, Index inner, T* dx) {
  if (inner == 0 || axis.in == 0) return;
  // A task is a whole line of the axis: many outputs may read one input, whose sum runs in order, in double.
  parallel_for(outer, 1, [&](Index line, Index) {
    const Scratch<double> sums(axis.in * inner);
    std::fill_n(sums.data(), axis.in * inner, 0.0);
    for (Index j = 0; j < axis.out; ++j) {
      const T* const gradient = dy + (line * axis.out + j) * inner;
      for (Index tap = 0; tap < axis.taps; ++tap) {
        const auto [place, weight] = axis.of(j)[tap];
        double* const target = sums.row(place, inner);
        for (Index i = 0; i < inner; ++i) {
          target[i] += static_cast<double>(weight) * static_cast<double>(widened(gradient[i]));
        }
      }
    }
    T* const to = dx + line * axis.in * inner;
    for (Index i = 0; i < axis.in * inner; ++i) to[i] = narrowed<T>(static_cast<float>(sums[i]));
  });
}
template void resample_backward(const Resampling&, const float*, Index, Index, float*);
template void resample_backward(const Resampling&, const BFloat16*, Index, Index, BFloat16*);

}  // namespace temper::kernels
