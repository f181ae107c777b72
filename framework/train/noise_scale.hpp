#pragma once

#include <optional>
#include <vector>

#include <temper/autograd/parameter.hpp>

namespace temper {

/// The sum of the squares of all waiting gradients: the squared norm of the gradient. 0 without any.
double gradient_squares(const std::vector<Parameter>& parameters);

/// The simple gradient noise scale, tr(S) / |G|^2, in examples: the batch size at which the noise of a gradient is as
/// large as the gradient itself. Much smaller batches cost steps, much larger ones examples. G is the gradient over all
/// data, S the covariance of the gradients of single examples.
///
/// Estimated from gradients of two batch sizes b < B, as accumulation has them. As E|g_b|^2 = |G|^2 + tr(S) / b,
///
///     |G|^2 = (B |g_B|^2 - b |g_b|^2) / (B - b)       tr(S) = (|g_b|^2 - |g_B|^2) / (1/b - 1/B)
///
/// are unbiased, also when the small batch is a part of the large one. Their quotient is not, so both are averaged over
/// updates first. A run with --accumulate logs it as noise_scale.
/// Source: McCandlish, Kaplan, Amodei, "An empirical model of large-batch training" (2018), appendix A.1.
class NoiseScale {
 public:
  /// `decay` is that of the moving averages. Throws: ValueError unless it is at least 0 and below 1.
  explicit NoiseScale(double decay = 0.99);

  /// Adds the squared norms of the mean gradients of `small` and of `large` examples.
  /// Throws: ValueError unless 0 < small < large and both squares are finite and not negative.
  void add(double small_squares, double small, double large_squares, double large);

  /// Mean estimate of |G|^2, which may be negative while there are few. None before the first.
  std::optional<double> squared_norm() const;
  /// Mean estimate of tr(S).
  std::optional<double> variance() const;
  /// Their quotient. None while one of them is not positive.
  std::optional<double> value() const;

  /// What a checkpoint needs: sums that decay.
  struct State {
    double squared_norm = 0, variance = 0, weight = 0;  ///< of the two means, and of their own weights
  };
  const State& state() const { return state_; }             ///< the sums now
  void restore(const State& state) { state_ = state; }      ///< goes on from a state

 private:
  double decay_;
  State state_;
};

}  // namespace temper
