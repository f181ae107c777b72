#include "framework/kernels/embedding.hpp"

#include <algorithm>
#include <cstring>

#include <temper/core/parallel.hpp>

#include "framework/kernels/isa.hpp"

namespace temper::kernels {

template <class T>
void embedding(const T* weight, const std::int64_t* ids, Index count, Index width, T* y) {
  constexpr Index grain = 1 << 14;
  if (width == 0) return;
  parallel_for(count, std::max<Index>(1, grain / width), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      std::memcpy(y + i * width, weight + ids[i] * width, static_cast<std::size_t>(width) * sizeof(T));
    }
  });
}
template void embedding(const float*, const std::int64_t*, Index, Index, float*);
template void embedding(const BFloat16*, const std::int64_t*, Index, Index, BFloat16*);

template <class T>
void embedding_backward(const T* dy, const std::int64_t* ids, Index count, Index width, float* dweight, Index padding) {
  // Split by columns, not rows: ids may repeat, and the sum of a row must run in order on one thread.
  constexpr Index panel = 128;
  const auto kernel = accumulate_kernel<float, T>();
  parallel_for(width, panel, [=](Index begin, Index end) {
    for (Index i = 0; i < count; ++i) {
      if (ids[i] == padding) continue;
      kernel(dweight + ids[i] * width + begin, dy + i * width + begin, end - begin);
    }
  });
}
template void embedding_backward(const float*, const std::int64_t*, Index, Index, float*, Index);
template void embedding_backward(const BFloat16*, const std::int64_t*, Index, Index, float*, Index);

}  // namespace temper::kernels
