#include <temper/autograd/ops/class_loss.hpp>

#include <algorithm>
#include <limits>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/compare.hpp>
#include <temper/autograd/ops/unary.hpp>

#include "framework/autograd/ops/loss_internal.hpp"
#include "framework/kernels/bfloat16.hpp"

namespace temper {

using detail::require;
using detail::summarized;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

/// What each row's loss is multiplied by: its label's weight, 0 for those ignored; and their sum.
struct RowWeights {
  Tensor weights;  // f32 [rows]
  double sum = 0.0;
};

RowWeights row_weights(const char* name, const Tensor& labels, std::int64_t classes, const NllOptions& options) {
  RowWeights result{.weights = empty({labels.numel()})};
  float* const to = result.weights.mutable_data<float>();
  std::int64_t row = 0;
  for (const std::int64_t label : labels.values<std::int64_t>()) {
    const bool ignored = label == options.ignore_index;
    if (!ignored && (label < 0 || label >= classes)) {
      fail<ValueError>("{}: label {} of row {} is outside the {} classes", name, label, row, classes);
    }
    to[row] = ignored ? 0.0f : options.weight.defined() ? options.weight.data<float>()[label] : 1.0f;
    result.sum += static_cast<double>(to[row++]);
  }
  return result;
}

}  // namespace

Tensor nll_loss(const Tensor& x, const Tensor& labels, const NllOptions& options) {
  constexpr const char* name = "nll_loss";
  detail::require_float(name, "input", x);
  require(name, "labels", labels, Dtype::i64);
  if (x.rank() == 0 || !(x.shape().without_axis(-1) == labels.shape())) {
    fail<ShapeError>("{}: input {} and labels {}, expected [..., classes] and [...]", name, x.shape(), labels.shape());
  }
  const std::int64_t classes = x.size(-1);
  if (options.weight.defined()) {
    require(name, "weight", options.weight);
    if (!(options.weight.shape() == Shape{classes})) {
      fail<ShapeError>("{}: weight {}, input {} expects [{}]", name, options.weight.shape(), x.shape(), classes);
    }
  }
  const RowWeights rows = row_weights(name, labels, classes, options);
  if (options.reduction == Reduction::mean && !(rows.sum > 0.0)) {
    fail<ValueError>("{}: mean over {} rows whose weights sum to {}", name, labels.numel(), rows.sum);
  }
  const double scale = options.reduction == Reduction::mean ? 1.0 / rows.sum : 1.0;
  const bool one = options.reduction != Reduction::none;
  Tensor y = empty(one ? Shape() : labels.shape());
  detail::with_type(x.dtype(), [&]<class T>() {
    const T* const from = x.data<T>();
    const std::int64_t* const label = labels.data<std::int64_t>();
    const float* const weight = rows.weights.data<float>();
    float* const to = y.mutable_data<float>();
    double total = 0.0;
    for (std::int64_t row = 0; row < labels.numel(); ++row) {
      const bool ignored = label[row] == options.ignore_index;
      const float loss = ignored ? 0.0f : -weight[row] * kernels::widened(from[row * classes + label[row]]);
      total += static_cast<double>(loss);
      if (!one) to[row] = loss;
    }
    if (one) to[0] = static_cast<float>(scale * total);
  });
  return record(name, y, {x},
                [one, scale, shape = x.shape(), classes, ignored = options.ignore_index, weights = rows.weights,
                 labels = save(labels)](const Tensor& dy, Gradients& gradients) {
                  Tensor dx = zeros(shape);
                  float* const to = dx.mutable_data<float>();
                  const std::int64_t* const label = labels->data<std::int64_t>();
                  for (std::int64_t row = 0; row < labels->numel(); ++row) {
                    if (label[row] == ignored) continue;
                    const float slope = dy.data<float>()[one ? 0 : row];
                    to[row * classes + label[row]] = static_cast<float>(-scale) * weights.data<float>()[row] * slope;
                  }
                  gradients.give(0, dx);
                });
}

Tensor kl_div(const Tensor& input, const Tensor& target, const KlDivOptions& options) {
  constexpr const char* name = "kl_div";
  detail::require_pair(name, input, target);
  const bool divides = options.reduction == KlReduction::mean || options.reduction == KlReduction::batch_mean;
  if (divides) detail::require_reducible(name, input, Reduction::mean);
  Tensor terms;
  if (options.log_target) {
    terms = exp(target) * (target - input);
  } else {
    const Tensor some = not_equal(stop_gradient(target), scalar(0.0f));
    // 0 log 0 and 0 * -inf are 0.
    const Tensor t = where(some, target, scalar(1.0f));
    terms = where(some, t * (log(t) - input), stop_gradient(target));
  }
  if (options.reduction == KlReduction::none) return terms;
  if (options.reduction == KlReduction::mean) return mean(terms);
  const Tensor total = sum(terms);
  if (options.reduction == KlReduction::sum || input.rank() == 0) return total;
  return total / input.size(0);
}

namespace {

/// max(log(x), -100)
Tensor bounded_log(const Tensor& x) { return clamp(log(x), -100.0f, infinity); }

Tensor weighted(const char* name, const Tensor& losses, const Tensor& weight) {
  if (!weight.defined()) return losses;
  require(name, "weight", weight);
  if (!(broadcast_shapes(name, losses.shape(), weight.shape()) == losses.shape())) {
    fail<ShapeError>("{}: weight {} does not broadcast to input {}", name, weight.shape(), losses.shape());
  }
  return losses * weight;
}

}  // namespace

Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const BinaryCrossEntropyOptions& options) {
  constexpr const char* name = "binary_cross_entropy";
  detail::require_pair(name, input, target);
  detail::require_reducible(name, input, options.reduction);
  for (const float value : input.values<float>()) {
    if (!(value >= 0.0f && value <= 1.0f))
      fail<ValueError>("{}: input {} has {}, expected 0 to 1", name, input.shape(), value);
  }
  const Tensor x = stop_gradient(input), t = stop_gradient(target);
  const Tensor losses = -(t * bounded_log(x) + (1 - t) * bounded_log(1 - x));
  static_cast<void>(weighted(name, losses, options.weight));  // throws before anything is recorded
  const Tensor recorded = record(name, losses, {input, target},
                                 [x = save(input), t = save(target, {0})](const Tensor& dy, Gradients& gradients) {
                                   if (gradients.wants(0)) {
                                     const Tensor variance = clamp((1 - *x) * *x, 1e-12f, infinity);
                                     gradients.give(0, dy * ((*x - *t) / variance));
                                   }
                                   if (gradients.wants(1))
                                     gradients.give(1, dy * (bounded_log(1 - *x) - bounded_log(x)));
                                 });
  return summarized(weighted(name, recorded, options.weight), options.reduction);
}

Tensor focal_loss(const Tensor& input, const Tensor& target, const FocalOptions& options) {
  constexpr const char* name = "focal_loss";
  detail::require_pair(name, input, target);
  detail::require_reducible(name, input, options.reduction);
  if (!(options.gamma >= 0.0f && options.alpha <= 1.0f)) {
    fail<ValueError>("{}: gamma {} and alpha {}, expected gamma from 0 up and alpha up to 1", name, options.gamma,
                     options.alpha);
  }
  const Tensor p = sigmoid(input), wrong = p + target - 2 * (p * target);  // the probability of what is not the case
  Tensor losses = bce_with_logits(input, target, {.reduction = Reduction::none}) * pow(wrong, double{options.gamma});
  if (options.alpha >= 0.0f) losses = losses * (target * (2 * options.alpha - 1) + (1 - options.alpha));
  return summarized(losses, options.reduction);
}

}  // namespace temper
