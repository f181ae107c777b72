#include <temper/autograd/ops/batch_norm.hpp>

#include <temper/autograd/tape.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/batch_norm.hpp"

namespace temper {

namespace {

void check(const Tensor& x, std::initializer_list<std::pair<const char*, const Tensor*>> per_channel,
           const BatchNormOptions& options) {
  if (x.dtype() != Dtype::f32 || x.rank() < 2) {
    fail<ShapeError>("batch_norm: input {} {}, expected f32 [..., C]", x.dtype(), x.shape());
  }
  for (const auto& [name, tensor] : per_channel) {
    if (tensor->dtype() != Dtype::f32 || !(tensor->shape() == Shape{x.size(-1)})) {
      fail<ShapeError>("batch_norm: {} {} {}, input {} expects f32 [{}]", name, tensor->dtype(), tensor->shape(),
                       x.shape(), x.size(-1));
    }
  }
  if (!(options.eps >= 0)) fail<ValueError>("batch_norm: eps {}, expected at least 0", options.eps);
  if (!(options.momentum >= 0 && options.momentum <= 1)) {
    fail<ValueError>("batch_norm: momentum {}, expected 0 to 1", options.momentum);
  }
}

void move_towards(Tensor& running, const Tensor& batch, float momentum, float factor) {
  const float* target = batch.data<float>();
  for (float& value : running.mutable_values<float>()) {
    value = (1.0f - momentum) * value + momentum * factor * *target++;
  }
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, Tensor running_mean, Tensor running_var,
                  const BatchNormOptions& options) {
  check(x, {{"weight", &weight}, {"bias", &bias}, {"running_mean", &running_mean}, {"running_var", &running_var}},
        options);
  const bool own_statistics = training() && !options.frozen;
  const std::int64_t channels = x.size(-1), rows = channels == 0 ? 0 : x.numel() / channels;
  if (own_statistics && rows < 2) {
    fail<ValueError>("batch_norm: input {} has {} value{} a channel, training needs at least 2", x.shape(), rows,
                     rows == 1 ? "" : "s");
  }
  Tensor y = empty(x.shape());
  // Images keep their height and width: oneDNN splits the work along them too.
  kernels::BatchNorm shape{.n = rows, .channels = channels, .epsilon = options.eps};
  if (x.rank() == 4) shape = {x.size(0), x.size(1), x.size(2), channels, options.eps};
  Tensor mean = running_mean, variance = running_var;
  if (own_statistics) {
    mean = empty({channels});
    variance = empty({channels});
    kernels::batch_norm_train(shape, x.data<float>(), weight.data<float>(), bias.data<float>(), y.mutable_data<float>(),
                              mean.mutable_data<float>(), variance.mutable_data<float>());
    move_towards(running_mean, mean, options.momentum, 1.0f);
    const std::int64_t freedom = mutant(Mutant::batch_norm_biased) ? rows : rows - 1;
    move_towards(running_var, variance, options.momentum, static_cast<float>(rows) / static_cast<float>(freedom));
  } else if (x.numel() > 0) {
    kernels::batch_norm_apply(shape, x.data<float>(), weight.data<float>(), bias.data<float>(), mean.data<float>(),
                              variance.data<float>(), y.mutable_data<float>());
  }
  return record("batch_norm", y, {x, weight, bias},
                [x = save(x), weight = save(weight), mean = save(mean), variance = save(variance), shape,
                 own_statistics](const Tensor& dy, Gradients& gradients) {
                  Tensor dx = empty(x->shape()), dweight = zeros(weight->shape()), dbias = zeros(weight->shape());
                  if (dx.numel() > 0) {
                    kernels::batch_norm_backward(shape, own_statistics, x->data<float>(), weight->data<float>(),
                                                 mean->data<float>(), variance->data<float>(), dy.data<float>(),
                                                 dx.mutable_data<float>(), dweight.mutable_data<float>(),
                                                 dbias.mutable_data<float>());
                  }
                  gradients.give(0, std::move(dx));
                  gradients.give(1, std::move(dweight));
                  gradients.give(2, std::move(dbias));
                });
}

}  // namespace temper
