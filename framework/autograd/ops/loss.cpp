#include <temper/autograd/ops/loss.hpp>

#include <numeric>
#include <optional>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/ops/unary.hpp>

#include "framework/autograd/ops/loss_internal.hpp"
#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/linear_loss.hpp"
#include "framework/kernels/loss.hpp"
#include "framework/kernels/reduce.hpp"

namespace temper {

using detail::require;
using kernels::PointwiseLoss;

namespace {

/// The losses as they are, or their sum times `scale`.
Tensor reduced(const Tensor& losses, Reduction reduction, float scale) {
  if (reduction == Reduction::none) return losses;
  Tensor y = empty({});
  kernels::reduce(kernels::Reduce::sum, losses.data<float>(), 1, losses.numel(), 1, scale, y.mutable_data<float>());
  return y;
}

/// The factor of each loss; a mean divides by `count`.
float scale_of(Reduction reduction, double count) {
  return reduction == Reduction::mean ? static_cast<float>(1.0 / count) : 1.0f;
}

/// Number of rows that are not ignored, and the sum of their labels' weights.
struct Counted {
  std::int64_t rows = 0;
  double weight = 0.0;
};

/// Throws: ValueError for a label outside the classes.
Counted count(const kernels::CrossEntropy& task) {
  Counted counted;
  for (std::int64_t row = 0; row < task.rows; ++row) {
    const std::int64_t label = task.labels[row];
    if (label == task.ignore_index) continue;
    if (label < 0 || label >= task.classes) {
      fail<ValueError>("cross_entropy: label {} of row {} is outside the {} classes", label, row, task.classes);
    }
    ++counted.rows;
    counted.weight += task.weight != nullptr ? static_cast<double>(task.weight[label]) : 1.0;
  }
  return counted;
}

/// Checks the options and returns a task, without labels yet, for logits of shape [..., classes].
kernels::CrossEntropy checked(const Shape& logits, const CrossEntropyOptions& options) {
  if (!(options.label_smoothing >= 0.0f && options.label_smoothing <= 1.0f)) {
    fail<ValueError>("cross_entropy: label_smoothing {}, expected 0 to 1", options.label_smoothing);
  }
  if (logits.rank() == 0) fail<ShapeError>("cross_entropy: logits {}, expected [..., classes]", logits);
  kernels::CrossEntropy task{logits.without_axis(-1).numel(), logits[-1], nullptr, options.ignore_index,
                             options.label_smoothing};
  if (options.weight.defined()) {
    require("cross_entropy", "weight", options.weight);
    if (!(options.weight.shape() == Shape{task.classes})) {
      fail<ShapeError>("cross_entropy: weight {}, logits {} expect [{}]", options.weight.shape(), logits, task.classes);
    }
    task.weight = options.weight.data<float>();
  }
  return task;
}

void require_possible(bool impossible, const Shape& logits) {
  if (impossible) fail<ValueError>("cross_entropy: logits {} have a row of nothing but -inf", logits);
}

/// The stride of dy from row to row.
std::int64_t stride_of(Reduction reduction) { return reduction == Reduction::none ? 1 : 0; }

Tensor cross_entropy_of_probabilities(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  detail::require_float("cross_entropy", "logits", logits);
  const kernels::CrossEntropy task = checked(logits.shape(), options);
  if (!(logits.shape() == labels.shape())) {
    fail<ShapeError>(
        "cross_entropy: logits {} and probabilities {}, expected the same [..., classes]; class numbers are i64",
        logits.shape(), labels.shape());
  }
  if (options.reduction == Reduction::mean && task.rows == 0) {
    fail<ValueError>("cross_entropy: mean over no row: logits {}", logits.shape());
  }
  Tensor losses = empty(logits.shape().without_axis(-1)), stats = empty({task.rows, 2});
  const bool impossible = detail::with_type(logits.dtype(), [&]<class T>() {
    return kernels::soft_cross_entropy(task, labels.data<float>(), logits.data<T>(), losses.mutable_data<float>(),
                                       stats.mutable_data<float>());
  });
  require_possible(impossible, logits.shape());
  const float scale = scale_of(options.reduction, static_cast<double>(task.rows));
  return record("cross_entropy", reduced(losses, options.reduction, scale), {logits, labels},
                [=, stride = stride_of(options.reduction), x = save(logits), labels = save(labels),
                 weight = save(options.weight)](const Tensor& dy, Gradients& gradients) {
                  Tensor dx, dlabels;
                  if (gradients.wants(0)) dx = empty(x->shape(), x->dtype());
                  if (gradients.wants(1)) dlabels = empty(labels->shape());
                  detail::with_type(x->dtype(), [&]<class T>() {
                    kernels::soft_cross_entropy_backward(task, labels->data<float>(), x->data<T>(), stats.data<float>(),
                                                         dy.data<float>(), stride, scale,
                                                         dx.defined() ? dx.mutable_data<T>() : nullptr,
                                                         dlabels.defined() ? dlabels.mutable_data<float>() : nullptr);
                  });
                  if (dx.defined()) gradients.give(0, dx);
                  if (dlabels.defined()) gradients.give(1, dlabels);
                });
}

/// The derivative of each element's loss by x, by recorded operations.
Tensor slope(PointwiseLoss loss, const Tensor& x, const Tensor& t, float delta) {
  switch (loss) {
    case PointwiseLoss::bce_with_logits: return sigmoid(x) - t;
    case PointwiseLoss::absolute: return sign(x - t);
    case PointwiseLoss::huber: return clamp(x - t, -delta, delta);
    default: return (x - t) * 2;
  }
}

Tensor pointwise(const char* name, PointwiseLoss loss, const Tensor& x, const Tensor& t, float delta,
                 Reduction reduction) {
  require(name, "input", x);
  require(name, "target", t);
  if (!(x.shape() == t.shape())) {
    fail<ShapeError>("{}: input {} and target {}, expected the same shape", name, x.shape(), t.shape());
  }
  const std::int64_t n = x.numel();
  if (reduction == Reduction::mean && n == 0)
    fail<ValueError>("{}: mean over input {}, which is empty", name, x.shape());
  Tensor losses = empty(x.shape());
  kernels::pointwise_loss(loss, x.data<float>(), t.data<float>(), delta, losses.mutable_data<float>(), n);
  const float scale = scale_of(reduction, static_cast<double>(n));
  const Tensor y = reduced(losses, reduction, scale);
  return record(name, y, {x, t},
                differentiable([=, stride = stride_of(reduction), x = save(x),
                                t = save(t, {0, loss == PointwiseLoss::bce_with_logits ? 0 : 1})](
                                   const Tensor& dy, Gradients& gradients) {
                  if (recording()) {
                    const Tensor by = scale * dy;
                    const bool logits = loss == PointwiseLoss::bce_with_logits;
                    if (logits && gradients.wants(1)) gradients.give(1, neg(by * x));
                    if (logits && !gradients.wants(0)) return;
                    const Tensor dx = by * slope(loss, x, t, delta);
                    gradients.give(0, dx);
                    if (!logits) gradients.give(1, neg(dx));
                    return;
                  }
                  Tensor d = empty(x->shape());
                  float* values = d.mutable_data<float>();
                  if (gradients.wants(1)) {
                    if (loss == PointwiseLoss::bce_with_logits) {  // its only term with the target is -t x
                      kernels::binary(kernels::Binary::mul, x->data<float>(), x->shape(), dy.data<float>(), dy.shape(),
                                      values, d.shape());
                      kernels::affine(values, -scale, 0.0f, values, d.numel());
                    } else {
                      kernels::pointwise_loss_backward(loss, x->data<float>(), t->data<float>(), delta,
                                                       dy.data<float>(), stride, -scale, values, d.numel());
                    }
                    gradients.give(1, std::move(d));
                    if (!gradients.wants(0)) return;
                    d = empty(x->shape());
                    values = d.mutable_data<float>();
                  }
                  kernels::pointwise_loss_backward(loss, x->data<float>(), t->data<float>(), delta, dy.data<float>(),
                                                   stride, scale, values, d.numel());
                  gradients.give(0, std::move(d));
                }));
}

}  // namespace

namespace {

/// A task with labels, and the factor of each row's loss.
struct LabelTask {
  kernels::CrossEntropy task;
  float scale;
};
/// The gradient of the logits by recorded operations: softmax times the sum of a row's targets, less the targets.
Tensor recorded_gradient(const kernels::CrossEntropy& task, const Tensor& logits, const Tensor& dy, float scale) {
  Tensor targets = zeros({task.rows, task.classes}), sums = zeros({task.rows, 1});
  float* target = targets.mutable_data<float>();
  for (std::int64_t row = 0; row < task.rows; ++row, target += task.classes) {
    const std::int64_t label = task.labels[row];
    if (label == task.ignore_index) continue;
    const auto weight_of = [&task](std::int64_t c) { return task.weight != nullptr ? task.weight[c] : 1.0f; };
    const float spread = task.smoothing / static_cast<float>(task.classes);
    for (std::int64_t c = 0; c < task.classes; ++c) target[c] = spread * weight_of(c);
    target[label] += (1 - task.smoothing) * weight_of(label);
    sums.mutable_data<float>()[row] = std::accumulate(target, target + task.classes, 0.0f);
  }
  const Tensor p = softmax(to(reshape(logits, targets.shape()), Dtype::f32), -1);
  const Tensor slope = scale * (dy.rank() == 0 ? dy : reshape(dy, {task.rows, 1}));
  return reshape(slope * (p * sums - targets), logits.shape());
}

LabelTask checked(const Shape& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  kernels::CrossEntropy task = checked(logits, options);
  require("cross_entropy", "labels", labels, Dtype::i64);
  if (!(logits.without_axis(-1) == labels.shape())) {
    fail<ShapeError>("cross_entropy: logits {} and labels {}, expected [..., classes] and [...]", logits,
                     labels.shape());
  }
  task.labels = labels.data<std::int64_t>();
  const Counted counted = count(task);
  if (options.reduction == Reduction::mean && counted.rows == 0) {
    fail<ValueError>("cross_entropy: mean over no row: {} labels, {} of them ignored", task.rows, task.rows);
  }
  if (options.reduction == Reduction::mean && !(counted.weight > 0.0)) {
    fail<ValueError>("cross_entropy: mean over {} rows whose weights sum to {}", counted.rows, counted.weight);
  }
  const double rows = counted.weight;
  return {task, scale_of(options.reduction, rows)};
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  if (labels.defined() && labels.dtype() == Dtype::f32) return cross_entropy_of_probabilities(logits, labels, options);
  detail::require_float("cross_entropy", "logits", logits);
  const LabelTask checked_task = checked(logits.shape(), labels, options);
  const kernels::CrossEntropy& task = checked_task.task;
  Tensor losses = empty(labels.shape()), stats = empty({task.rows, 2});
  const bool impossible = detail::with_type(logits.dtype(), [&]<class T>() {
    return kernels::cross_entropy(task, logits.data<T>(), losses.mutable_data<float>(), stats.mutable_data<float>());
  });
  require_possible(impossible, logits.shape());
  return record(
      "cross_entropy", reduced(losses, options.reduction, checked_task.scale), {logits},
      differentiable([task, stats, scale = checked_task.scale, stride = stride_of(options.reduction), x = save(logits),
                      labels = save(labels), weight = save(options.weight)](const Tensor& dy, Gradients& gradients) {
        if (recording()) return gradients.give(0, recorded_gradient(task, x, dy, scale));
        // Overwrites the logits when there is no other handle of them.
        Tensor dx = detail::overwritable(x);
        detail::with_type(x->dtype(), [&]<class T>() {
          kernels::cross_entropy_backward(task, x->data<T>(), stats.data<float>(), dy.data<float>(), stride, scale,
                                          dx.mutable_data<T>());
        });
        gradients.give(0, dx);
      }));
}

Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& labels,
                            const CrossEntropyOptions& options) {
  constexpr const char* name = "linear_cross_entropy";
  detail::require_float(name, "input", x);
  detail::require_alike(name, "weight", weight, "input", x);
  detail::require_defined(name, "labels", labels);
  if (weight.rank() != 2 || x.rank() == 0 || x.size(-1) != weight.size(1)) {
    fail<ShapeError>("{}: input {} and weight {}, expected [..., D] and [classes, D]", name, x.shape(), weight.shape());
  }
  const std::int64_t width = weight.size(1);
  const Shape logits = x.shape().resized(-1, weight.size(0));
  const LabelTask checked_task = checked(logits, labels, options);
  const kernels::CrossEntropy& task = checked_task.task;
  Tensor losses = empty(labels.shape()), stats = empty({task.rows, 2});
  const bool impossible = detail::with_type(x.dtype(), [&]<class T>() {
    return kernels::linear_cross_entropy(task, x.data<T>(), weight.data<T>(), width, losses.mutable_data<float>(),
                                         stats.mutable_data<float>());
  });
  require_possible(impossible, logits);
  return record(name, reduced(losses, options.reduction, checked_task.scale), {x, weight},
                [task, stats, width, scale = checked_task.scale, stride = stride_of(options.reduction), x = save(x),
                 weight = save(weight), labels = save(labels),
                 class_weight = save(options.weight)](const Tensor& dy, Gradients& gradients) {
                  Tensor dx;
                  if (gradients.wants(0)) dx = empty(x->shape(), x->dtype());
                  std::optional<detail::SummedGradient> dweight;
                  if (gradients.wants(1)) dweight.emplace(gradients, 1);
                  detail::with_type(x->dtype(), [&]<class T>() {
                    kernels::linear_cross_entropy_backward(
                        task, x->data<T>(), weight->data<T>(), width, stats.data<float>(), dy.data<float>(), stride,
                        scale, dx.defined() ? dx.mutable_data<T>() : nullptr, dweight ? dweight->data() : nullptr);
                  });
                  if (dweight) dweight->close();
                  if (dx.defined()) gradients.give(0, dx);
                });
}

Tensor mse_loss(const Tensor& input, const Tensor& target, const LossOptions& options) {
  return pointwise("mse_loss", PointwiseLoss::squared, input, target, 0.0f, options.reduction);
}

Tensor l1_loss(const Tensor& input, const Tensor& target, const LossOptions& options) {
  return pointwise("l1_loss", PointwiseLoss::absolute, input, target, 0.0f, options.reduction);
}

Tensor huber_loss(const Tensor& input, const Tensor& target, const HuberOptions& options) {
  if (!(options.delta > 0.0f)) fail<ValueError>("huber_loss: delta {}, expected above 0", options.delta);
  return pointwise("huber_loss", PointwiseLoss::huber, input, target, options.delta, options.reduction);
}

namespace {

void require_weight(const char* name, const char* argument, const Tensor& weight, const Tensor& input) {
  if (!weight.defined()) return;
  require(name, argument, weight);
  if (!(broadcast_shapes(name, input.shape(), weight.shape()) == input.shape())) {
    fail<ShapeError>("{}: {} {} does not broadcast to input {}", name, argument, weight.shape(), input.shape());
  }
}

}  // namespace

Tensor bce_with_logits(const Tensor& input, const Tensor& target, const BceOptions& options) {
  constexpr const char* name = "bce_with_logits";
  const auto& [reduction, weight, pos_weight] = options;
  if (!weight.defined() && !pos_weight.defined()) {
    return pointwise(name, PointwiseLoss::bce_with_logits, input, target, 0.0f, reduction);
  }
  detail::require_pair(name, input, target);
  detail::require_reducible(name, input, reduction);
  require_weight(name, "weight", weight, input);
  require_weight(name, "pos_weight", pos_weight, input);
  Tensor losses = pointwise(name, PointwiseLoss::bce_with_logits, input, target, 0.0f, Reduction::none);
  // A target of 1 has the loss softplus(-x).
  if (pos_weight.defined()) losses = losses + (pos_weight - 1) * (target * softplus(-input));
  if (weight.defined()) losses = losses * weight;
  return detail::summarized(losses, reduction);
}

}  // namespace temper
