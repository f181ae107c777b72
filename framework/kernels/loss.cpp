#include "framework/kernels/loss.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include <temper/core/parallel.hpp>

#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/isa.hpp"

namespace temper::kernels {

namespace {

constexpr Index grain = 1 << 13;
constexpr Index pointwise_grain = 1 << 14;

Index rows_per_chunk(Index classes) { return std::max<Index>(1, grain / std::max<Index>(1, classes)); }

/// How many classes share what label smoothing takes from the right one.
Index shared_by(Index classes) { return mutant(Mutant::smoothing_over_others) ? classes - 1 : classes; }

}  // namespace

template <class T>
bool cross_entropy(const CrossEntropy& task, const T* x, float* losses, float* stats) {
  std::atomic<bool> impossible = false;
  const auto& kernels = table_of<T>();
  const double smoothing = static_cast<double>(task.smoothing), count = static_cast<double>(shared_by(task.classes));
  parallel_for(task.rows, rows_per_chunk(task.classes), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const Index label = task.labels[row];
      if (label == task.ignore_index) {
        losses[row] = stats[2 * row] = stats[2 * row + 1] = 0.0f;
        continue;
      }
      const T* logits = x + row * task.classes;
      float largest;
      double sum;
      kernels.log_sum_exp(logits, task.classes, &largest, &sum);
      if (largest == -std::numeric_limits<float>::infinity()) impossible.store(true, std::memory_order_relaxed);
      const double top = static_cast<double>(largest), log_sum = std::log(sum);
      double loss = (top - static_cast<double>(widened(logits[label]))) + log_sum;
      if (smoothing > 0.0) {
        const double mean = kernels.sum(logits, task.classes) / count;
        loss = (1.0 - smoothing) * loss + smoothing * ((top - mean) + log_sum);
      }
      losses[row] = static_cast<float>(loss);
      stats[2 * row] = largest;
      stats[2 * row + 1] = static_cast<float>(1.0 / sum);
    }
  });
  return impossible;
}
template bool cross_entropy(const CrossEntropy&, const float*, float*, float*);
template bool cross_entropy(const CrossEntropy&, const BFloat16*, float*, float*);

template <class T>
void cross_entropy_backward(const CrossEntropy& task, const T* x, const float* stats, const float* dy, Index stride_dy,
                            float scale, T* dx) {
  const auto kernel = table_of<T>().cross_entropy_backward;
  const auto single = table().cross_entropy_backward;
  const float uniform = task.smoothing / static_cast<float>(shared_by(task.classes)), hit = 1.0f - task.smoothing;
  parallel_for(task.rows, rows_per_chunk(task.classes), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      const Index first = row * task.classes, label = task.labels[row];
      if (label == task.ignore_index) {
        std::fill_n(dx + first, task.classes, T{});
        continue;
      }
      const float g = scale * dy[row * stride_dy], logit = widened(x[first + label]);
      float right;  // by itself, so that it is rounded once
      single(&logit, 1, stats[2 * row], stats[2 * row + 1], uniform, g, &right);
      kernel(x + first, task.classes, stats[2 * row], stats[2 * row + 1], uniform, g, dx + first);
      dx[first + label] = narrowed<T>(right - g * hit);
    }
  });
}
template void cross_entropy_backward(const CrossEntropy&, const float*, const float*, const float*, Index, float,
                                     float*);
template void cross_entropy_backward(const CrossEntropy&, const BFloat16*, const float*, const float*, Index, float,
                                     BFloat16*);

void pointwise_loss(PointwiseLoss loss, const float* x, const float* t, float delta, float* y, Index n) {
  const auto kernel = table().pointwise_loss[static_cast<std::size_t>(loss)];
  parallel_for(n, pointwise_grain,
               [=](Index begin, Index end) { kernel(x + begin, t + begin, delta, y + begin, end - begin); });
}

void pointwise_loss_backward(PointwiseLoss loss, const float* x, const float* t, float delta, const float* dy,
                             Index stride_dy, float scale, float* dx, Index n) {
  const auto kernel = table().pointwise_loss_backward[static_cast<std::size_t>(loss)];
  parallel_for(n, pointwise_grain, [=](Index begin, Index end) {
    kernel(x + begin, t + begin, delta, dy + begin * stride_dy, stride_dy, scale, dx + begin, end - begin);
  });
}

}  // namespace temper::kernels
