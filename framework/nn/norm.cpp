#include <temper/nn/norm.hpp>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/batch_norm.hpp>
#include <temper/autograd/ops/norm.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/nn/observer_internal.hpp"
#include "framework/nn/optional_internal.hpp"

namespace temper::nn {

namespace {

std::int64_t checked(const char* layer, const char* what, std::int64_t size) {
  if (size < 1) fail<ValueError>("{}: {} {}, expected at least 1", layer, size, what);
  return size;
}

Parameter gain(std::int64_t size) { return Parameter(ones({size}), Role::norm_gain); }
Parameter zero_bias(std::int64_t size) { return Parameter(zeros({size}), Role::bias); }

}  // namespace

BatchNorm2d::BatchNorm2d(std::int64_t channels, BatchNorm2dOptions options)
    : weight(gain(checked("BatchNorm2d", "channels", channels))),
      bias(zero_bias(channels)),
      running_mean(zeros({channels})),
      running_var(ones({channels})),
      options_(options) {}

void BatchNorm2d::members(Members& members) const {
  members("weight", weight);
  members("bias", bias);
  members("running_mean", running_mean);
  members("running_var", running_var);
}

std::string BatchNorm2d::description() const {
  return fmt::format("BatchNorm2d({}{})", weight.shape()[0], frozen() ? ", frozen" : "");
}

Tensor BatchNorm2d::forward(const Tensor& x) const {
  return batch_norm(x, weight, bias, running_mean, running_var, op_options());
}

Tensor BatchNorm2d::relu(const Tensor& x, const Tensor& residual) const {
  // An observer is shown the layer's own output, which the fused operation does not compute.
  if (observed()) return temper::relu(residual.defined() ? (*this)(x) + residual : (*this)(x));
  return batch_norm_relu(x, weight, bias, running_mean, running_var, op_options(), residual);
}

BatchNormOptions BatchNorm2d::op_options() const {
  return {.momentum = options_.momentum, .eps = options_.eps, .frozen = frozen()};
}

LayerNorm::LayerNorm(std::int64_t features, LayerNormOptions options)
    : weight(gain(checked("LayerNorm", "features", features))), eps_(options.eps) {
  if (options.bias) bias = zero_bias(features);
}

void LayerNorm::members(Members& members) const {
  members("weight", weight);
  members("bias", bias);
}

std::string LayerNorm::description() const { return fmt::format("LayerNorm({})", weight.shape()[0]); }

Tensor LayerNorm::forward(const Tensor& x) const { return layer_norm(x, weight, optional(bias), {.eps = eps_}); }

SumAndNorm LayerNorm::add(const Tensor& x, const Tensor& y) const {
  if (!observed()) return add_layer_norm(x, y, weight, optional(bias), {.eps = eps_});
  const Tensor sum = x + y;
  return {sum, (*this)(sum)};
}

RMSNorm::RMSNorm(std::int64_t features, float eps)
    : weight(gain(checked("RMSNorm", "features", features))), eps_(eps) {}

void RMSNorm::members(Members& members) const { members("weight", weight); }

std::string RMSNorm::description() const { return fmt::format("RMSNorm({})", weight.shape()[0]); }

Tensor RMSNorm::forward(const Tensor& x) const { return rms_norm(x, weight, {.eps = eps_}); }

}  // namespace temper::nn
