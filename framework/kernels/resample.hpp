#pragma once

#include <vector>

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Weighted sums along an axis: output j is the sum over its taps of weight * x[place]. From output to output, places
/// never decrease.
struct Resampling {
  struct Tap {
    Index place;
    float weight;
  };
  Index in = 0, out = 0, taps = 1;  ///< sizes of the axis, and how many taps each output has
  std::vector<Tap> table = {};      ///< [out, taps]

  const Tap* of(Index output) const { return table.data() + output * taps; }
};

/// y [outer, out, inner] from x [outer, in, inner]; in float, rounded once. T is float or BFloat16.
template <class T>
void resample(const Resampling& axis, const T* x, Index outer, Index inner, T* y);
/// dx [outer, in, inner] is overwritten.
template <class T>
void resample_backward(const Resampling& axis, const T* dy, Index outer, Index inner, T* dx);

}  // namespace temper::kernels
