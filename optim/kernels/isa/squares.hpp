#pragma once

// Sums of squares in double, added in the same order on every instruction set.

#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

using kernels::TEMPER_ISA::widen;

/// Adds products into 32 lanes on every instruction set, so that the order of the additions, and with it the bits of
/// the sum, do not depend on the width of a vector.
class Dots {
 public:
  static constexpr Index lanes = 32;

  Dots() {
    for (Double& sum : sums_) sum = Double(0.0);  // a batch is not zero by itself
  }

  void add(Index vector, Vec x, Vec y) {
    const auto [x_low, x_high] = widen(x);
    const auto [y_low, y_high] = widen(y);
    sums_[2 * vector] += x_low * y_low;
    sums_[2 * vector + 1] += x_high * y_high;
  }
  double total() const {
    alignas(64) double lane[lanes];
    for (Index j = 0; j < 2 * vectors; ++j) sums_[j].store_aligned(lane + j * width / 2);
    double result = 0.0;
    for (double x : lane) result += x;
    return result;
  }

  static constexpr Index vectors = lanes / width;

 private:
  Double sums_[2 * vectors];
};

class Squares : public Dots {
 public:
  void add(Index vector, Vec x) { Dots::add(vector, x, x); }
};

/// Calls block(get) for every 32 elements, where get(pointer, vector) reads a vector of them, padded with 0.
template <class Block>
static inline void blocks(Index n, Block block) {
  Index i = 0;
  for (; i + Squares::lanes <= n; i += Squares::lanes) {
    block([i](const float* x, Index vector) { return load(x + i + vector * width); });
  }
  if (i < n) {
    block([i, n](const float* x, Index vector) {
      const Index first = i + vector * width, left = n - first;
      return left >= width ? load(x + first) : left > 0 ? load_part(x + first, left) : Vec(0.0f);
    });
  }
}

}  // namespace temper::optim_kernels::TEMPER_ISA
