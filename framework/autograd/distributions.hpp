#pragma once

#include <cstdint>

#include <temper/tensor/tensor.hpp>

/// Probability distributions, for reinforcement learning and variational models. Samples are drawn from the generator
/// that manual_seed seeds; logarithms of probabilities, entropies and divergences have gradients.
namespace temper::distributions {

/// Normal distributions; mean and deviation are f32 and broadcast to the shape of the distribution.
class Normal {
 public:
  /// Throws: ShapeError when the shapes or the dtypes do not fit; ValueError unless all deviations are above 0.
  Normal(const Tensor& mean, const Tensor& deviation);

  /// One number of each, or as many as `shape` says before the distribution's own: f32. Of sample() no gradient leads
  /// back; rsample() is mean + deviation * noise, whose gradient is that of the mean and the deviation.
  Tensor sample(const Shape& shape = {}) const;
  Tensor rsample(const Shape& shape = {}) const;
  /// The logarithm of the density at `value`, which broadcasts.
  Tensor log_prob(const Tensor& value) const;
  Tensor entropy() const;

  /// Those it was made with, broadcast.
  const Tensor& mean() const { return mean_; }
  const Tensor& deviation() const { return deviation_; }

 private:
  Tensor mean_, deviation_;
};

/// A number and the logarithm of its density.
struct Drawn {
  Tensor value, log_prob;
};

/// tanh of a normal distribution: actions between -1 and 1. Source: Haarnoja et al., "Soft actor-critic" (2018).
class TanhNormal {
 public:
  /// Throws: as Normal.
  TanhNormal(const Tensor& mean, const Tensor& deviation) : normal_(mean, deviation) {}

  /// As those of Normal.
  Tensor sample(const Shape& shape = {}) const;
  Tensor rsample(const Shape& shape = {}) const;
  /// A sample with its gradient, and the logarithm of its density, which is exact also where tanh is 1.
  Drawn rsample_with_log_prob(const Shape& shape = {}) const;
  /// The logarithm of the density at `value`; values are moved inside (-1, 1) by one unit in the last place.
  Tensor log_prob(const Tensor& value) const;

 private:
  Tensor log_prob_before(const Tensor& before) const;

  Normal normal_;
};

/// One of K classes: logits [..., K] f32, of which the last axis is a distribution.
class Categorical {
 public:
  /// Throws: ShapeError for other shapes or dtypes; ValueError for a row of nothing but -inf.
  explicit Categorical(const Tensor& logits);

  /// A class of each, or as many as `shape` says before the distribution's own: i64.
  Tensor sample(const Shape& shape = {}) const;
  /// The logarithm of the probability of the classes: i64, of a shape that broadcasts to that of the distribution, or
  /// has more axes before. Throws: ShapeError, ValueError for a class that is none.
  Tensor log_prob(const Tensor& value) const;
  Tensor entropy() const;
  Tensor probabilities() const;
  /// The logarithms of the probabilities.
  const Tensor& logits() const { return logits_; }

 private:
  Tensor logits_;
};

/// 1 or 0: logits f32, the logarithm of the odds of 1.
class Bernoulli {
 public:
  /// Throws: ShapeError for other dtypes.
  explicit Bernoulli(const Tensor& logits);

  /// 1 or 0 of each, as f32.
  Tensor sample(const Shape& shape = {}) const;
  /// The logarithm of the probability of `value`, f32 of 1 and 0, which broadcasts.
  Tensor log_prob(const Tensor& value) const;
  Tensor entropy() const;
  Tensor probabilities() const;
  const Tensor& logits() const { return logits_; }

 private:
  Tensor logits_;
};

/// The Kullback-Leibler divergence of q from p, of each distribution.
Tensor kl_divergence(const Normal& p, const Normal& q);
Tensor kl_divergence(const Categorical& p, const Categorical& q);
Tensor kl_divergence(const Bernoulli& p, const Bernoulli& q);

struct GumbelSoftmaxOptions {
  float tau = 1.0f;   ///< temperature: the lower, the nearer to a choice
  bool hard = false;  ///< 1 for the largest and 0 else, with the gradient of the soft one
};
/// A choice of one of the last axis's classes that has a gradient: softmax((logits + Gumbel noise) / tau). Throws:
/// ShapeError for other dtypes or a scalar; ValueError unless tau is above 0.
/// Source: Jang et al., "Categorical reparameterization with Gumbel-softmax" (2016).
Tensor gumbel_softmax(const Tensor& logits, const GumbelSoftmaxOptions& options = {});

}  // namespace temper::distributions
