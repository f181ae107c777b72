#pragma once

#include <temper/autograd/ops/loss.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

// Losses of an input and a target of the same shape, beside those of loss.hpp; both f32; a scalar, or that shape with
// Reduction::none. All throw: ShapeError when shapes or dtypes differ; ValueError for the mean of nothing, and for
// options out of range.

struct SmoothL1Options {
  float beta = 1.0f;  ///< up to here the loss is a parabola; 0 for l1_loss
  Reduction reduction = Reduction::mean;
};
/// (x - t)^2 / (2 beta) where |x - t| < beta, else |x - t| - beta / 2. Source: Girshick, "Fast R-CNN" (2015).
Tensor smooth_l1_loss(const Tensor& input, const Tensor& target, const SmoothL1Options& options = {});

struct QuantileOptions {
  float quantile = 0.5f;  ///< the share of targets below the best input, between 0 and 1
  Reduction reduction = Reduction::mean;
};
/// The pinball loss: quantile * (t - x) where x is too low, (1 - quantile) * (x - t) where it is too high. Source:
/// Koenker, Bassett, "Regression quantiles" (1978).
Tensor quantile_loss(const Tensor& input, const Tensor& target, const QuantileOptions& options = {});

/// log(cosh(x - t)), without overflow: a parabola near 0, straight far from it.
Tensor log_cosh_loss(const Tensor& input, const Tensor& target, const LossOptions& options = {});

struct GaussianNllOptions {
  bool full = false;  ///< with the constant, log(2 pi) / 2
  float eps = 1e-6f;  ///< variances below it count as it
  Reduction reduction = Reduction::mean;
};
/// -log of the normal density at the target: (log v + (x - t)^2 / v) / 2, with the variance v of the input's shape, or
/// of one that broadcasts to it.
Tensor gaussian_nll_loss(const Tensor& input, const Tensor& target, const Tensor& variance,
                         const GaussianNllOptions& options = {});

struct PoissonNllOptions {
  bool log_input = true;  ///< the input is the logarithm of the rate, else the rate
  bool full = false;      ///< with Stirling's approximation of log(t!), for targets above 1
  float eps = 1e-8f;      ///< added to a rate before its logarithm is taken
  Reduction reduction = Reduction::mean;
};
/// -log of the Poisson probability of the target: e^x - t x, or x - t log(x + eps) for a rate.
Tensor poisson_nll_loss(const Tensor& input, const Tensor& target, const PoissonNllOptions& options = {});

}  // namespace temper
