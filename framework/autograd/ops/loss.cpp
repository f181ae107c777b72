#include <temper/autograd/ops/loss.hpp>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/reduce.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/elementwise.hpp"
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

/// What each loss is multiplied by.
float scale_of(Reduction reduction, std::int64_t count) {
  return reduction == Reduction::mean ? static_cast<float>(1.0 / static_cast<double>(count)) : 1.0f;
}

/// Checks the labels and returns how many are not ignored.
std::int64_t counted(const Tensor& labels, std::int64_t classes, std::int64_t ignore_index) {
  std::int64_t count = 0, row = 0;
  for (const std::int64_t label : labels.values<std::int64_t>()) {
    if (label != ignore_index) {
      if (label < 0 || label >= classes) {
        fail<ValueError>("cross_entropy: label {} of row {} is outside the {} classes", label, row, classes);
      }
      ++count;
    }
    ++row;
  }
  return count;
}

/// The cross entropy with labels that are probabilities. Rows of a few classes: made of other operations.
Tensor cross_entropy_of_probabilities(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  if (logits.rank() == 0 || !(logits.shape() == labels.shape())) {
    fail<ShapeError>("cross_entropy: logits {} and probabilities {}, expected the same [..., classes]", logits.shape(),
                     labels.shape());
  }
  const std::int64_t rows = logits.shape().without_axis(-1).numel();
  if (options.reduction == Reduction::mean && rows == 0) {
    fail<ValueError>("cross_entropy: mean over no row: logits {}", logits.shape());
  }
  const float smoothing = options.label_smoothing, classes = static_cast<float>(logits.size(-1));
  const Tensor targets = smoothing == 0.0f ? labels : (1.0f - smoothing) * labels + smoothing / classes;
  const Tensor products = targets * log_softmax(logits);
  if (options.reduction == Reduction::none) return -sum(products, -1);
  return -scale_of(options.reduction, rows) * sum(products);
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
  const float scale = scale_of(reduction, n);
  const Tensor y = reduced(losses, reduction, scale);
  return record(
      name, y, {x, t},
      [=, stride = reduction == Reduction::none ? std::int64_t{1} : std::int64_t{0}, x = save(x),
       t = save(t, {0, loss == PointwiseLoss::bce_with_logits ? 0 : 1})](const Tensor& dy, Gradients& gradients) {
        Tensor d = empty(x->shape());
        float* values = d.mutable_data<float>();
        if (gradients.wants(1)) {
          if (loss == PointwiseLoss::bce_with_logits) {  // the target enters as -t x
            kernels::binary(kernels::Binary::mul, x->data<float>(), x->shape(), dy.data<float>(), dy.shape(), values,
                            d.shape());
            kernels::affine(values, -scale, 0.0f, values, d.numel());
          } else {
            kernels::pointwise_loss_backward(loss, x->data<float>(), t->data<float>(), delta, dy.data<float>(), stride,
                                             -scale, values, d.numel());
          }
          gradients.give(1, std::move(d));
          if (!gradients.wants(0)) return;
          d = empty(x->shape());
          values = d.mutable_data<float>();
        }
        kernels::pointwise_loss_backward(loss, x->data<float>(), t->data<float>(), delta, dy.data<float>(), stride,
                                         scale, values, d.numel());
        gradients.give(0, std::move(d));
      });
}

}  // namespace

Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  detail::require_float("cross_entropy", "logits", logits);
  if (!(options.label_smoothing >= 0.0f && options.label_smoothing <= 1.0f)) {
    fail<ValueError>("cross_entropy: label_smoothing {}, expected 0 to 1", options.label_smoothing);
  }
  if (labels.defined() && labels.dtype() == Dtype::f32) {
    return cross_entropy_of_probabilities(to(logits, Dtype::f32), labels, options);
  }
  require("cross_entropy", "labels", labels, Dtype::i64);
  if (logits.rank() == 0 || !(logits.shape().without_axis(-1) == labels.shape())) {
    fail<ShapeError>("cross_entropy: logits {} and labels {}, expected [..., classes] and [...]", logits.shape(),
                     labels.shape());
  }
  const kernels::CrossEntropy task{labels.numel(), logits.size(-1), labels.data<std::int64_t>(), options.ignore_index,
                                   options.label_smoothing};
  const std::int64_t count = counted(labels, task.classes, task.ignore_index);
  if (options.reduction == Reduction::mean && count == 0) {
    fail<ValueError>("cross_entropy: mean over no row: {} labels, {} of them ignored", task.rows, task.rows);
  }

  Tensor losses = empty(labels.shape()), stats = empty({task.rows, 2});
  const bool impossible = detail::with_type(logits.dtype(), [&]<class T>() {
    return kernels::cross_entropy(task, logits.data<T>(), losses.mutable_data<float>(), stats.mutable_data<float>());
  });
  if (impossible) {
    fail<ValueError>("cross_entropy: logits {} have a row of nothing but -inf", logits.shape());
  }
  const float scale = scale_of(options.reduction, mutant(Mutant::cross_entropy_counts_all) ? task.rows : count);
  const Tensor y = reduced(losses, options.reduction, scale);
  return record("cross_entropy", y, {logits},
                [=, stride = options.reduction == Reduction::none ? std::int64_t{1} : std::int64_t{0}, x = save(logits),
                 labels = save(labels)](const Tensor& dy, Gradients& gradients) {
                  // Over the logits themselves when nobody else holds them.
                  Tensor dx = detail::overwritable(x);
                  detail::with_type(x->dtype(), [&]<class T>() {
                    kernels::cross_entropy_backward(task, x->data<T>(), stats.data<float>(), dy.data<float>(), stride,
                                                    scale, dx.mutable_data<T>());
                  });
                  gradients.give(0, dx);
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

Tensor bce_with_logits(const Tensor& input, const Tensor& target, const LossOptions& options) {
  return pointwise("bce_with_logits", PointwiseLoss::bce_with_logits, input, target, 0.0f, options.reduction);
}

}  // namespace temper
