#include <temper/autograd/ops/regression_loss.hpp>

#include <cmath>
#include <limits>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/compare.hpp>
#include <temper/autograd/ops/unary.hpp>

#include "framework/autograd/ops/loss_internal.hpp"

namespace temper {

using detail::summarized;

namespace {

void check(const char* name, const Tensor& input, const Tensor& target, Reduction reduction) {
  detail::require_pair(name, input, target);
  detail::require_reducible(name, input, reduction);
}

}  // namespace

Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const SmoothL1Options& options) {
  check("smooth_l1_loss", input, target, options.reduction);
  if (!(options.beta >= 0.0f)) fail<ValueError>("smooth_l1_loss: beta {}, expected at least 0", options.beta);
  if (options.beta == 0.0f) return l1_loss(input, target, {options.reduction});
  return huber_loss(input, target, {.delta = options.beta, .reduction = options.reduction}) / options.beta;
}

Tensor quantile_loss(const Tensor& input, const Tensor& target, const QuantileOptions& options) {
  check("quantile_loss", input, target, options.reduction);
  if (!(options.quantile > 0.0f && options.quantile < 1.0f)) {
    fail<ValueError>("quantile_loss: quantile {}, expected between 0 and 1", options.quantile);
  }
  const Tensor missing = target - input;
  return summarized(maximum(options.quantile * missing, (options.quantile - 1.0f) * missing), options.reduction);
}

Tensor log_cosh_loss(const Tensor& input, const Tensor& target, const LossOptions& options) {
  check("log_cosh_loss", input, target, options.reduction);
  // Not the square of the distance: that has no second derivative at 0.
  const Tensor difference = input - target, distance = abs(difference), squared = square(difference);
  // Near 0 by its series: the difference has no digits left there.
  const Tensor far = distance + softplus(-2.0f * distance) - std::log(2.0), near = squared * (0.5 - squared / 12.0);
  return summarized(where(less(stop_gradient(distance), scalar(0.02f)), near, far), options.reduction);
}

Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& variance,
                         const GaussianNllOptions& options) {
  constexpr const char* name = "gaussian_nll_loss";
  check(name, input, target, options.reduction);
  detail::require(name, "variance", variance);
  if (!(broadcast_shapes(name, input.shape(), variance.shape()) == input.shape())) {
    fail<ShapeError>("{}: variance {} does not broadcast to input {}", name, variance.shape(), input.shape());
  }
  if (!(options.eps > 0.0f)) fail<ValueError>("{}: eps {}, expected above 0", name, options.eps);
  const Tensor bounded = clamp(variance, options.eps, std::numeric_limits<float>::infinity());
  Tensor losses = 0.5f * (log(bounded) + square(input - target) / bounded);
  if (options.full) losses = losses + 0.5 * std::log(2.0 * M_PI);
  return summarized(losses, options.reduction);
}

Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, const PoissonNllOptions& options) {
  check("poisson_nll_loss", input, target, options.reduction);
  Tensor losses = options.log_input ? exp(input) - target * input : input - target * log(input + options.eps);
  if (options.full) {
    const Tensor one = scalar(1.0f), above = greater(stop_gradient(target), one), t = where(above, target, one);
    const Tensor stirling = t * log(t) - t + 0.5f * log(2.0 * M_PI * t);
    losses = losses + where(above, stirling, scalar(0.0f));
  }
  return summarized(losses, options.reduction);
}

}  // namespace temper
