#include <temper/autograd/ops/batch_norm.hpp>

#include <temper/autograd/random.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/autograd/ops/spatial_internal.hpp"
#include "framework/core/format_internal.hpp"
#include "framework/kernels/batch_norm.hpp"

namespace temper {

namespace {

void check(const char* operation, const Tensor& x,
           std::initializer_list<std::pair<const char*, const Tensor*>> per_channel, const BatchNormOptions& options) {
  detail::require_defined(operation, "input", x);
  if ((x.dtype() != Dtype::f32 && x.dtype() != Dtype::bf16) || x.rank() < 2) {
    fail<ShapeError>("{}: input {} {}, expected f32 or bf16 [..., C]", operation, x.dtype(), x.shape());
  }
  for (const auto& [name, tensor] : per_channel) {
    detail::require_defined(operation, name, *tensor);
    if (tensor->dtype() != Dtype::f32 || !(tensor->shape() == Shape{x.size(-1)})) {
      fail<ShapeError>("{}: {} {} {}, input {} expects f32 [{}]{}", operation, name, tensor->dtype(), tensor->shape(),
                       x.shape(), x.size(-1), detail::layout_hint(x, tensor->numel()));
    }
  }
  if (!(options.eps >= 0)) fail<ValueError>("{}: eps {}, expected at least 0", operation, options.eps);
  if (!(options.momentum >= 0 && options.momentum <= 1)) {
    fail<ValueError>("{}: momentum {}, expected 0 to 1", operation, options.momentum);
  }
}

void move_towards(Tensor& running, const Tensor& batch, float momentum, float factor) {
  const float* target = batch.data<float>();
  for (float& value : running.mutable_values<float>()) {
    value = (1.0f - momentum) * value + momentum * factor * *target++;
  }
}

/// batch_norm with an optional residual and ReLU; `name` is the operation's name in messages and on the tape.
Tensor normalized(const char* name, const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor running_mean,
                  Tensor running_var, const BatchNormOptions& options, const Tensor& residual, bool relu) {
  check(name, x, {{"weight", &weight}, {"bias", &bias}, {"running_mean", &running_mean}, {"running_var", &running_var}},
        options);
  if (residual.defined() && (residual.dtype() != x.dtype() || !(residual.shape() == x.shape()))) {
    fail<ShapeError>("{}: residual {} {}, input {} {} expects the same", name, residual.dtype(), residual.shape(),
                     x.dtype(), x.shape());
  }
  const bool own_statistics = training() && !options.frozen;
  const std::int64_t channels = x.size(-1), rows = channels == 0 ? 0 : x.numel() / channels;
  if (own_statistics && rows < 2) {
    fail<ValueError>("{}: input {} has {} value{} a channel, training needs at least 2", name, x.shape(), rows,
                     rows == 1 ? "" : "s");
  }
  Tensor y = empty(x.shape(), x.dtype());
  const kernels::BatchNorm shape{.rows = rows, .channels = channels, .epsilon = options.eps};
  Tensor mean = running_mean, inverse = empty({channels});
  if (own_statistics) {
    mean = empty({channels});
    Tensor variance = empty({channels});
    detail::with_type(x.dtype(), [&]<class T>() {
      kernels::batch_norm_statistics(shape, x.data<T>(), mean.mutable_data<float>(), variance.mutable_data<float>(),
                                     inverse.mutable_data<float>());
    });
    if (!detail::recomputing()) {
      move_towards(running_mean, mean, options.momentum, 1.0f);
      move_towards(running_var, variance, options.momentum, static_cast<float>(rows) / static_cast<float>(rows - 1));
    }
  } else {
    kernels::inverse_deviations(shape, running_var.data<float>(), inverse.mutable_data<float>());
  }
  if (x.numel() > 0) {
    detail::with_type(x.dtype(), [&]<class T>() {
      kernels::batch_norm(shape, x.data<T>(), weight.data<float>(), bias.data<float>(), mean.data<float>(),
                          inverse.data<float>(), residual.defined() ? residual.data<T>() : nullptr, relu,
                          y.mutable_data<T>());
    });
  }
  return record(
      {name,
       {{"eps", options.eps},
        {"running_mean", running_mean},
        {"running_var", running_var},
        {"training", own_statistics}}},
      y, {x, weight, bias, residual},
      [x = own_statistics ? save(x, {0, 1}) : save(x, {1}), weight = save(weight, {0}),
       mean = own_statistics ? save(mean, {0, 1}) : save(mean, {1}), inverse, y = relu ? save(y) : Saved(), shape,
       own_statistics](const Tensor& dy, Gradients& gradients) {
        Tensor dresidual = gradients.wants(3) ? detail::overwritable(dy) : Tensor();
        Tensor dx = gradients.wants(0) ? empty(dy.shape(), dy.dtype()) : Tensor();
        Tensor dweight = gradients.wants(1) ? zeros({shape.channels}) : Tensor();
        Tensor dbias = gradients.wants(2) ? zeros({shape.channels}) : Tensor();
        if (dy.numel() > 0) {
          detail::with_type(dy.dtype(), [&]<class T>() {
            kernels::batch_norm_backward(
                shape,
                {detail::data_or_null<T>(x), detail::data_or_null<float>(weight), detail::data_or_null<float>(mean),
                 inverse.data<float>(), detail::data_or_null<T>(y), own_statistics},
                dy.data<T>(), detail::mutable_data_or_null<T>(dx), detail::mutable_data_or_null<float>(dweight),
                detail::mutable_data_or_null<float>(dbias), detail::mutable_data_or_null<T>(dresidual));
          });
        }
        if (dx.defined()) gradients.give(0, std::move(dx));
        if (dweight.defined()) gradients.give(1, std::move(dweight));
        if (dbias.defined()) gradients.give(2, std::move(dbias));
        if (dresidual.defined()) gradients.give(3, std::move(dresidual));
      });
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor running_mean, Tensor running_var,
                  const BatchNormOptions& options) {
  return normalized("batch_norm", x, weight, bias, std::move(running_mean), std::move(running_var), options, Tensor(),
                    false);
}

Tensor batch_norm_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor running_mean,
                       Tensor running_var, const BatchNormOptions& options, const Tensor& residual) {
  return normalized("batch_norm_relu", x, weight, bias, std::move(running_mean), std::move(running_var), options,
                    residual, true);
}

}  // namespace temper
