#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

using Double = xsimd::batch<double, Arch>;

/// The lower and the upper half in double.
struct Halves {
  Double low, high;
};

Halves widen(Vec x) {
#if defined(TEMPER_ISA_avx512)
  return {Double(_mm512_cvtps_pd(_mm512_castps512_ps256(x))), Double(_mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)))};
#elif defined(TEMPER_ISA_avx2)
  return {Double(_mm256_cvtps_pd(_mm256_castps256_ps128(x))), Double(_mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)))};
#else
  return {Double(_mm_cvtps_pd(x)), Double(_mm_cvtps_pd(_mm_movehl_ps(x, x)))};
#endif
}

/// Adds squares into 32 lanes, whatever the width of a vector: the order of additions, and so the bits of the sum, are
/// the same on every instruction set.
class Squares {
 public:
  static constexpr Index lanes = 32;

  Squares() {
    for (Double& sum : sums_) sum = Double(0.0);  // a batch is not zero by itself
  }

  void add(Index vector, Vec x) {
    const auto [low, high] = widen(x);
    sums_[2 * vector] += low * low;
    sums_[2 * vector + 1] += high * high;
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

/// Calls block(get) for every 32 elements, where get(pointer, vector) reads a vector of them; missing ones are 0.
template <class Block>
void blocks(Index n, Block block) {
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

double sum_squares(const float* x, Index n) {
  Squares squares;
  blocks(n, [&](auto get) {
    for (Index j = 0; j < Squares::vectors; ++j) squares.add(j, get(x, j));
  });
  return squares.total();
}

void change(const float* x, const float* before, Index n, double* sums) {
  Squares changes, sizes;
  blocks(n, [&](auto get) {
    for (Index j = 0; j < Squares::vectors; ++j) {
      const Vec old = get(before, j);
      changes.add(j, get(x, j) - old);
      sizes.add(j, old);
    }
  });
  sums[0] = changes.total();
  sums[1] = sizes.total();
}

}  // namespace

void fill_sums(Table& table) {
  table.sum_squares = sum_squares;
  table.change = change;
}

}  // namespace temper::optim_kernels::TEMPER_ISA
