#include "framework/kernels/norm.hpp"

#include <algorithm>
#include <type_traits>

#include <temper/core/parallel.hpp>

#include "framework/kernels/isa.hpp"
#include "framework/kernels/reduce.hpp"

namespace temper::kernels {

namespace {
constexpr Index grain = 1 << 14;
}

template <class T>
void norm(const T* x, Index rows, Index cols, const float* weight, const float* bias, float eps, T* y, float* mean,
          float* inverse) {
  if (cols == 0) return;
  const auto kernel = table_of<T>().norm;
  parallel_for(rows, std::max<Index>(1, grain / cols), [=](Index begin, Index end) {
    kernel(x + begin * cols, end - begin, cols, weight, bias, eps, y + begin * cols,
           mean != nullptr ? mean + begin : nullptr, inverse + begin);
  });
}
template void norm(const float*, Index, Index, const float*, const float*, float, float*, float*, float*);
template void norm(const BFloat16*, Index, Index, const float*, const float*, float, BFloat16*, float*, float*);

template <class T>
void add_norm(const T* a, const T* b, Index rows, Index cols, const float* weight, const float* bias, float eps, T* sum,
              T* y, float* mean, float* inverse) {
  if (cols == 0) return;
  const auto kernel = table_of<T>().norm;
  const auto add = table_of<T>().binary[static_cast<std::size_t>(Binary::add)];
  parallel_for(rows, std::max<Index>(1, grain / cols), [=](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {  // row by row, so that each sum is normalized while it is in the cache
      const Index at = row * cols;
      add(a + at, 1, b + at, 1, sum + at, cols);
      kernel(sum + at, 1, cols, weight, bias, eps, y + at, mean != nullptr ? mean + row : nullptr, inverse + row);
    }
  });
}
template void add_norm(const float*, const float*, Index, Index, const float*, const float*, float, float*, float*,
                       float*, float*);
template void add_norm(const BFloat16*, const BFloat16*, Index, Index, const float*, const float*, float, BFloat16*,
                       BFloat16*, float*, float*);

template <class T, class G>
void norm_backward(const T* x, const T* dy, Index rows, Index cols, const float* weight, const float* mean,
                   const float* inverse, const NormGradients<G>& d) {
  if (cols == 0) return;
  const SumOfRows weight_sum(rows, cols, d.weight != nullptr), bias_sum(rows, cols, d.bias != nullptr);
  const auto kernel = [] {
    if constexpr (std::is_same_v<G, T>) {
      return table_of<T>().norm_backward;
    } else {
      return table_of<T>().norm_backward_in_float;
    }
  }();
  parallel_chunks(rows, weight_sum.chunk_rows(), [&](Index chunk, Index begin, Index end) {
    kernel(x + begin * cols, dy + begin * cols, end - begin, cols, weight, mean != nullptr ? mean + begin : nullptr,
           inverse + begin, d.x != nullptr ? d.x + begin * cols : nullptr, d.accumulate_x, weight_sum.part(chunk),
           bias_sum.part(chunk));
  });
  weight_sum.finish(d.weight, d.accumulate_weight);
  bias_sum.finish(d.bias, d.accumulate_bias);
}
template void norm_backward(const float*, const float*, Index, Index, const float*, const float*, const float*,
                            const NormGradients<float>&);
template void norm_backward(const BFloat16*, const BFloat16*, Index, Index, const float*, const float*, const float*,
                            const NormGradients<BFloat16>&);
template void norm_backward(const BFloat16*, const BFloat16*, Index, Index, const float*, const float*, const float*,
                            const NormGradients<float>&);

}  // namespace temper::kernels
