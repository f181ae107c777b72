#include <algorithm>
#include <type_traits>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/matmul_internal.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

/// An array as floats: itself if it is of floats, else a converted copy.
template <class T>
class Floats {
 public:
  Floats(const T* x, Index count) {
    if constexpr (std::is_same_v<T, float>) {
      data_ = x;
    } else {
      copy_ = Scratch<float>(count);
      table_of<T>().to_float(x, copy_.data(), count);
      data_ = copy_.data();
    }
  }
  const float* data() const { return data_; }

 private:
  Scratch<float> copy_;
  const float* data_;
};

}  // namespace

template <class X, class Y>
void own_product(const Matmul& shape, const X* a, const X* b, const float* bias, Y* y) {
  // Not a structured binding, which Clang 14 does not capture.
  const Index m = shape.m, n = shape.n, k = shape.k, batch = shape.batch;
  const bool transpose_a = shape.transpose_a, transpose_b = shape.transpose_b, accumulate = shape.accumulate,
             share_b = shape.share_b;
  const Index batches_b = share_b ? 1 : batch;
  const Floats<X> left(a, batch * m * k), right(b, batches_b * k * n);

  const float* rows_of_b = right.data();
  Scratch<float> transposed;
  if (transpose_b) {
    transposed = Scratch<float>(batches_b * k * n);
    for (Index i = 0; i < batches_b; ++i) {
      table().transpose(right.data() + i * k * n, n, k, k, transposed.data() + i * k * n, n);
    }
    rows_of_b = transposed.data();
  }

  // Sums stay in float, and are rounded to Y once at the end.
  Scratch<float> wide;
  float* sums = nullptr;
  if constexpr (std::is_same_v<Y, float>) {
    sums = y;
  } else {
    wide = Scratch<float>(batch * m * n);
    sums = wide.data();
    if (accumulate) table_of<Y>().to_float(y, sums, batch * m * n);
  }
  if (!accumulate) std::fill_n(sums, batch * m * n, 0.0f);

  const Index grain = std::max<Index>(8, (Index{1} << 18) / std::max<Index>(1, n * k));
  const auto kernel = table().product;
  for (Index i = 0; i < batch; ++i) {
    const float* const from = left.data() + i * m * k;
    const Index row = transpose_a ? 1 : k, column = transpose_a ? m : 1;
    parallel_for(m, grain, [&](Index begin, Index end) {
      float* const to = sums + (i * m + begin) * n;
      kernel(from + begin * row, row, column, rows_of_b + (share_b ? 0 : i * k * n), end - begin, n, k, to);
      for (Index r = 0; bias != nullptr && r < end - begin; ++r) table().accumulate(to + r * n, bias, n);
    });
  }
  if constexpr (!std::is_same_v<Y, float>) table_of<Y>().from_float(sums, y, batch * m * n);
}
template void own_product(const Matmul&, const float*, const float*, const float*, float*);
template void own_product(const Matmul&, const BFloat16*, const BFloat16*, const float*, BFloat16*);
template void own_product(const Matmul&, const BFloat16*, const BFloat16*, const float*, float*);

}  // namespace temper::kernels
