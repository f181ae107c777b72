#include "framework/kernels/loss.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

constexpr Index grain = 1 << 13;
constexpr Index pointwise_grain = 1 << 14;

Index rows_per_chunk(Index classes) { return std::max<Index>(1, grain / std::max<Index>(1, classes)); }

/// Whether a row's loss needs no target vector: it is a function of the label's logit, and of the mean of all logits
/// when the labels are smoothed.
bool needs_label_only(const CrossEntropy& task) { return task.weight == nullptr || task.smoothing == 0.0f; }

/// The factors that a row's -log softmax(x) are multiplied by, one for each class, with smoothing and class weights.
class Targets {
 public:
  Targets(const CrossEntropy& task, const float* probabilities)
      : task_(task),
        probabilities_(probabilities),
        plain_(task.smoothing == 0.0f && task.weight == nullptr),
        uniform_(task.smoothing / static_cast<float>(task.classes)) {
    if (probabilities != nullptr ? !plain_ : !needs_label_only(task)) factors_ = Scratch<float>(task.classes);
  }

  const float* of(Index row) const {
    const float* const given = probabilities_ != nullptr ? probabilities_ + row * task_.classes : nullptr;
    if (plain_) return given;
    for (Index c = 0; c < task_.classes; ++c) {
      const float target = given != nullptr ? given[c] : task_.labels[row] == c ? 1.0f : 0.0f;
      factors_[c] = slope(c) * target + weight(c) * uniform_;
    }
    return factors_.data();
  }
  /// The derivative of a class's factor by the probability given for it.
  float slope(Index c) const { return weight(c) * (1.0f - task_.smoothing); }

 private:
  float weight(Index c) const { return task_.weight != nullptr ? task_.weight[c] : 1.0f; }

  const CrossEntropy& task_;
  const float* probabilities_;
  bool plain_;
  float uniform_;
  Scratch<float> factors_;
};

float weight_of(const CrossEntropy& task, Index label) { return task.weight != nullptr ? task.weight[label] : 1.0f; }

/// The largest logit of a row and the sum of exp(x - largest). The backward reads the former and 1 / sum.
struct RowStats {
  float largest;
  double sum;
  double log_sum() const { return std::log(sum); }
  bool all_minus_infinity() const { return largest == -std::numeric_limits<float>::infinity(); }
  void keep(float* stats) const {
    stats[0] = largest;
    stats[1] = static_cast<float>(1.0 / sum);
  }
};

template <class T>
RowStats stats_of(const T* logits, Index classes) {
  RowStats row;
  table_of<T>().log_sum_exp(logits, classes, &row.largest, &row.sum);
  return row;
}

/// The loss of one row by its label.
template <class T>
double loss_of_label(const CrossEntropy& task, const T* logits, Index label, const RowStats& row) {
  const double top = static_cast<double>(row.largest), log_sum = row.log_sum();
  const double loss = (top - static_cast<double>(widened(logits[label]))) + log_sum;
  const double smoothing = static_cast<double>(task.smoothing);
  if (smoothing == 0.0) return static_cast<double>(weight_of(task, label)) * loss;
  const double mean = table_of<T>().sum(logits, task.classes) / static_cast<double>(task.classes);
  return (1.0 - smoothing) * loss + smoothing * ((top - mean) + log_sum);
}

template <class T>
double loss_of_targets(const T* logits, const float* targets, Index classes, const RowStats& row) {
  return table_of<T>().soft_cross_entropy(logits, targets, classes, row.largest, static_cast<float>(row.log_sum()));
}

template <class T>
void gradient_of_targets(const T* logits, const float* targets, Index classes, const float* stats, float g, T* dx) {
  const auto total = static_cast<float>(table().sum(targets, classes));
  table_of<T>().soft_cross_entropy_backward(logits, targets, classes, stats[0], stats[1], total, g, dx);
}

}  // namespace

template <class T>
bool cross_entropy(const CrossEntropy& task, const T* x, float* losses, float* stats) {
  std::atomic<bool> all_minus_infinity = false;
  parallel_for(task.rows, rows_per_chunk(task.classes), [&](Index begin, Index end) {
    const Targets targets(task, nullptr);
    for (Index row = begin; row < end; ++row) {
      const Index label = task.labels[row];
      if (label == task.ignore_index) {
        losses[row] = stats[2 * row] = stats[2 * row + 1] = 0.0f;
        continue;
      }
      const T* const logits = x + row * task.classes;
      const RowStats of_row = stats_of(logits, task.classes);
      if (of_row.all_minus_infinity()) all_minus_infinity.store(true, std::memory_order_relaxed);
      losses[row] =
          static_cast<float>(needs_label_only(task) ? loss_of_label(task, logits, label, of_row)
                                                    : loss_of_targets(logits, targets.of(row), task.classes, of_row));
      of_row.keep(stats + 2 * row);
    }
  });
  return all_minus_infinity;
}
template bool cross_entropy(const CrossEntropy&, const float*, float*, float*);
template bool cross_entropy(const CrossEntropy&, const BFloat16*, float*, float*);

template <class T>
void cross_entropy_backward(const CrossEntropy& task, const T* x, const float* stats, const float* dy, Index stride_dy,
                            float scale, T* dx) {
  const auto kernel = table_of<T>().cross_entropy_backward;
  const auto single = table().cross_entropy_backward;
  const float uniform = task.smoothing / static_cast<float>(task.classes), hit = 1.0f - task.smoothing;
  parallel_for(task.rows, rows_per_chunk(task.classes), [&](Index begin, Index end) {
    const Targets targets(task, nullptr);
    for (Index row = begin; row < end; ++row) {
      const Index first = row * task.classes, label = task.labels[row];
      if (label == task.ignore_index) {
        std::fill_n(dx + first, task.classes, T{});
        continue;
      }
      if (!needs_label_only(task)) {
        gradient_of_targets(x + first, targets.of(row), task.classes, stats + 2 * row, scale * dy[row * stride_dy],
                            dx + first);
        continue;
      }
      const float g = scale * weight_of(task, label) * dy[row * stride_dy], logit = widened(x[first + label]);
      float at_label;  // the label's gradient in float, so that it is rounded to T once
      single(&logit, 1, stats[2 * row], stats[2 * row + 1], uniform, g, &at_label);
      kernel(x + first, task.classes, stats[2 * row], stats[2 * row + 1], uniform, g, dx + first);
      dx[first + label] = narrowed<T>(at_label - g * hit);
    }
  });
}
template void cross_entropy_backward(const CrossEntropy&, const float*, const float*, const float*, Index, float,
                                     float*);
template void cross_entropy_backward(const CrossEntropy&, const BFloat16*, const float*, const float*, Index, float,
                                     BFloat16*);

template <class T>
bool soft_cross_entropy(const CrossEntropy& task, const float* probabilities, const T* x, float* losses, float* stats) {
  std::atomic<bool> all_minus_infinity = false;
  parallel_for(task.rows, rows_per_chunk(task.classes), [&](Index begin, Index end) {
    const Targets targets(task, probabilities);
    for (Index row = begin; row < end; ++row) {
      const T* const logits = x + row * task.classes;
      const RowStats of_row = stats_of(logits, task.classes);
      if (of_row.all_minus_infinity()) all_minus_infinity.store(true, std::memory_order_relaxed);
      losses[row] = static_cast<float>(loss_of_targets(logits, targets.of(row), task.classes, of_row));
      of_row.keep(stats + 2 * row);
    }
  });
  return all_minus_infinity;
}
template bool soft_cross_entropy(const CrossEntropy&, const float*, const float*, float*, float*);
template bool soft_cross_entropy(const CrossEntropy&, const float*, const BFloat16*, float*, float*);

template <class T>
void soft_cross_entropy_backward(const CrossEntropy& task, const float* probabilities, const T* x, const float* stats,
                                 const float* dy, Index stride_dy, float scale, T* dx, float* dtargets) {
  parallel_for(task.rows, rows_per_chunk(task.classes), [&](Index begin, Index end) {
    const Targets targets(task, probabilities);
    for (Index row = begin; row < end; ++row) {
      const Index first = row * task.classes;
      const float g = scale * dy[row * stride_dy];
      if (dx != nullptr) {
        gradient_of_targets(x + first, targets.of(row), task.classes, stats + 2 * row, g, dx + first);
      }
      if (dtargets == nullptr) continue;
      const auto log_sum = static_cast<float>(-std::log(static_cast<double>(stats[2 * row + 1])));
      table_of<T>().soft_cross_entropy_target(x + first, task.classes, stats[2 * row], log_sum, g, dtargets + first);
      for (Index c = 0; c < task.classes; ++c) dtargets[first + c] *= targets.slope(c);
    }
  });
}
template void soft_cross_entropy_backward(const CrossEntropy&, const float*, const float*, const float*, const float*,
                                          Index, float, float*, float*);
template void soft_cross_entropy_backward(const CrossEntropy&, const float*, const BFloat16*, const float*,
                                          const float*, Index, float, BFloat16*, float*);

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
