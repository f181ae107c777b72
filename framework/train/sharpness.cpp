#include <temper/train/sharpness.hpp>

#include <cmath>

#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::detail {

namespace {

/// x in f32: itself, or a copy of a bf16 tensor.
Tensor in_float(const Tensor& x) {
  const NoTape pause;
  return x.dtype() == Dtype::f32 ? x : to(x, Dtype::f32);
}

}  // namespace

PerturbedWeights::PerturbedWeights(const nn::Module& model, const optim::Optimizer& optimizer,
                                   const SharpnessOptions& options) {
  if (!(options.rho > 0.0 && std::isfinite(options.rho))) {
    fail<ValueError>("sharpness_aware_step: rho is {}, expected a positive number", options.rho);
  }
  std::vector<Parameter> parameters;
  for (const optim::Group& group : optimizer.groups()) {
    for (const Parameter& parameter : group.parameters) {
      if (parameter.gradient().defined()) parameters.push_back(parameter);
    }
  }
  double squares = 0.0;
  for (const Parameter& parameter : parameters) {
    const Tensor value = in_float(parameter.value());
    const float *g = parameter.gradient().data<float>(), *p = value.data<float>();
    for (std::int64_t i = 0; i < value.numel(); ++i) {
      const double size = options.adaptive ? std::abs(static_cast<double>(p[i])) : 1.0;
      const double x = size * static_cast<double>(g[i]);
      squares += x * x;
    }
  }
  // With gradients that are not finite the weights stay as they are, and the optimizer refuses the step.
  const double factor = squares > 0.0 && std::isfinite(squares) ? options.rho / std::sqrt(squares) : 0.0;
  for (Parameter& parameter : parameters) {
    Tensor value = parameter.value();
    saved_.push_back({value, value.clone()});
    Tensor moved = in_float(value).clone();
    const float* g = parameter.gradient().data<float>();
    for (float& p : moved.mutable_values<float>()) {
      const double size = options.adaptive ? static_cast<double>(p) * static_cast<double>(p) : 1.0;
      p = static_cast<float>(static_cast<double>(p) + factor * size * static_cast<double>(*g++));
    }
    const NoTape pause;
    value.copy_from(value.dtype() == Dtype::f32 ? moved : to(moved, value.dtype()));
    parameter.discard_gradient();
  }
  for (const nn::Buffer& buffer : model.buffers()) saved_.push_back({buffer.tensor, buffer.tensor.clone()});
}

PerturbedWeights::~PerturbedWeights() {
  for (Saved& saved : saved_) saved.tensor.copy_from(saved.before);
}

}  // namespace temper::detail
