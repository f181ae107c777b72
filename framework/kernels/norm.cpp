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

void norm(const float* x, Index rows, Index cols, const float* weight, const float* bias, float eps, float* y,
          float* mean, float* inverse) {
  if (cols == 0) return;
  const auto kernel = table().norm;
  parallel_for(rows, std::max<Index>(1, grain / cols), [=](Index begin, Index end) {
    kernel(x + begin * cols, end - begin, cols, weight, bias, eps, y + begin * cols,
           mean != nullptr ? mean + begin : nullptr, inverse + begin);
  });
}

void norm_backward(const float* x, const float* dy, Index rows, Index cols, const float* weight, const float* mean,
                   const float* inverse, float* dx, bool accumulate, float* dweight, float* dbias) {
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
  const auto kernel = table().norm_backward;
  parallel_chunks(rows, chunk_rows, [&](Index chunk, Index begin, Index end) {
    kernel(x + begin * cols, dy + begin * cols, end - begin, cols, weight, mean != nullptr ? mean + begin : nullptr,
           inverse + begin, dx != nullptr ? dx + begin * cols : nullptr, accumulate, part(weight_parts, chunk),
           part(bias_parts, chunk));
  });
  if (weight_parts) column_sum(reinterpret_cast<const float*>(weight_parts.data()), chunks, cols, dweight, false);
  if (bias_parts) column_sum(reinterpret_cast<const float*>(bias_parts.data()), chunks, cols, dbias, false);
}

}  // namespace temper::kernels
