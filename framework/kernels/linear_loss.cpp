#include "framework/kernels/linear_loss.hpp"

#include <algorithm>
#include <type_traits>

#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/matmul.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

/// Rows whose logits are stored at once: enough for an efficient product, few enough to stay in the caches. A function
/// of the shape alone, so that runs are reproducible.
Index rows_at_once(const CrossEntropy& task) {
  return std::clamp<Index>((Index{1} << 21) / std::max<Index>(1, task.classes), 16, std::max<Index>(16, task.rows));
}

/// Calls part(task of some rows, index of the first of them, their logits) until all rows are done.
template <class T, class Part>
void for_each_part(const CrossEntropy& task, const T* x, const T* weight, Index width, Part part) {
  const Index step = rows_at_once(task);
  const Scratch<float> logits(std::min(step, task.rows) * task.classes);
  for (Index begin = 0; begin < task.rows; begin += step) {
    CrossEntropy rows = task;
    rows.rows = std::min(step, task.rows - begin);
    rows.labels = task.labels + begin;
    matmul({.m = rows.rows, .n = task.classes, .k = width, .transpose_b = true}, x + begin * width, weight, nullptr,
           logits.data());
    part(rows, begin, logits.data());
  }
}

}  // namespace

template <class T>
bool linear_cross_entropy(const CrossEntropy& task, const T* x, const T* weight, Index width, float* losses,
                          float* stats) {
  bool impossible = false;
  for_each_part(task, x, weight, width, [&](const CrossEntropy& rows, Index begin, const float* logits) {
    impossible = cross_entropy(rows, logits, losses + begin, stats + 2 * begin) || impossible;
  });
  return impossible;
}
template bool linear_cross_entropy(const CrossEntropy&, const float*, const float*, Index, float*, float*);
template bool linear_cross_entropy(const CrossEntropy&, const BFloat16*, const BFloat16*, Index, float*, float*);

template <class T>
void linear_cross_entropy_backward(const CrossEntropy& task, const T* x, const T* weight, Index width,
                                   const float* stats, const float* dy, Index stride_dy, float scale, T* dx,
                                   float* dweight) {
  for_each_part(task, x, weight, width, [&](const CrossEntropy& rows, Index begin, float* logits) {
    cross_entropy_backward(rows, logits, stats + 2 * begin, dy + begin * stride_dy, stride_dy, scale, logits);
    Scratch<T> rounded;
    const T* dlogits = nullptr;
    if constexpr (std::is_same_v<T, float>) {
      dlogits = logits;
    } else {
      rounded = Scratch<T>(rows.rows * task.classes);
      convert(logits, rounded.data(), rows.rows * task.classes);
      dlogits = rounded.data();
    }
    if (dx != nullptr) {
      matmul({.m = rows.rows, .n = width, .k = task.classes}, dlogits, weight, nullptr, dx + begin * width);
    }
    if (dweight != nullptr) {
      matmul({.m = task.classes, .n = width, .k = rows.rows, .transpose_a = true, .accumulate = true}, dlogits,
             x + begin * width, nullptr, dweight);
    }
  });
}
template void linear_cross_entropy_backward(const CrossEntropy&, const float*, const float*, Index, const float*,
                                            const float*, Index, float, float*, float*);
template void linear_cross_entropy_backward(const CrossEntropy&, const BFloat16*, const BFloat16*, Index, const float*,
                                            const float*, Index, float, BFloat16*, float*);

}  // namespace temper::kernels
