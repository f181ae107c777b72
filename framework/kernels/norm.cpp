#include "framework/kernels/norm.hpp"

#include <algorithm>

#include <temper/core/buffer.hpp>
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
    for (Index row = begin; row < end; ++row) {  // what is added is normalized while it is in the cache
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

template <class T>
void norm_backward(const T* x, const T* dy, Index rows, Index cols, const float* weight, const float* mean,
                   const float* inverse, T* dx, bool accumulate, float* dweight, float* dbias) {
  if (cols == 0) return;
  // Each chunk adds up its rows' part of dweight and dbias on its own. At most 128 rows: longer float sums lose digits.
  const Index chunk_rows = std::clamp<Index>(grain / cols, 16, 128);
  const Index chunks = chunk_count(rows, chunk_rows);
  const std::size_t bytes = static_cast<std::size_t>(chunks * cols) * sizeof(float);
  detail::Buffer weight_parts, bias_parts;
  if (dweight != nullptr) weight_parts = detail::Buffer(bytes);
  if (dbias != nullptr) bias_parts = detail::Buffer(bytes);
  const auto part = [cols](const detail::Buffer& parts, Index chunk) -> float* {
    if (!parts) return nullptr;
    float* first = reinterpret_cast<float*>(parts.data()) + chunk * cols;
    std::fill_n(first, cols, 0.0f);
    return first;
  };
  const auto kernel = table_of<T>().norm_backward;
  parallel_chunks(rows, chunk_rows, [&](Index chunk, Index begin, Index end) {
    kernel(x + begin * cols, dy + begin * cols, end - begin, cols, weight, mean != nullptr ? mean + begin : nullptr,
           inverse + begin, dx != nullptr ? dx + begin * cols : nullptr, accumulate, part(weight_parts, chunk),
           part(bias_parts, chunk));
  });
  if (weight_parts) column_sum(reinterpret_cast<const float*>(weight_parts.data()), chunks, cols, dweight, false);
  if (bias_parts) column_sum(reinterpret_cast<const float*>(bias_parts.data()), chunks, cols, dbias, false);
}
template void norm_backward(const float*, const float*, Index, Index, const float*, const float*, const float*, float*,
                            bool, float*, float*);
template void norm_backward(const BFloat16*, const BFloat16*, Index, Index, const float*, const float*, const float*,
                            BFloat16*, bool, float*, float*);

}  // namespace temper::kernels
