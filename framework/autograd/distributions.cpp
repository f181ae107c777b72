#include <temper/autograd/distributions.hpp>

#include <algorithm>
#include <array>
#include <cmath>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/arrange.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/compare.hpp>
#include <temper/autograd/ops/loss.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/ops/unary.hpp>

#include "framework/autograd/ops/ops_internal.hpp"

namespace temper::distributions {

namespace {

const double half_log_2_pi = 0.5 * std::log(2.0 * M_PI);

/// The axes of one shape before those of another.
Shape joined(const Shape& first, const Shape& rest) {
  std::array<std::int64_t, Shape::max_rank> sizes{};
  if (first.rank() + rest.rank() > Shape::max_rank) {
    fail<ShapeError>("sample: {} of {}, expected at most {} axes", first, rest, Shape::max_rank);
  }
  std::copy(first.begin(), first.end(), sizes.begin());
  std::copy(rest.begin(), rest.end(), sizes.begin() + first.rank());
  return Shape(std::span<const std::int64_t>(sizes.data(), static_cast<std::size_t>(first.rank() + rest.rank())));
}

/// -log(-log(u)) of uniform numbers.
Tensor gumbel(const Shape& shape) {
  // Above 0, so that no noise is infinite.
  return neg(log(neg(log(uniform(shape, 0x1p-24f, 1.0f)))));
}

}  // namespace

Normal::Normal(const Tensor& mean, const Tensor& deviation) : mean_(mean), deviation_(deviation) {
  detail::require("Normal", "mean", mean);
  detail::require("Normal", "deviation", deviation);
  const Shape shape = broadcast_shapes("Normal", mean.shape(), deviation.shape());
  for (const float value : deviation.values<float>()) {
    if (!(value > 0.0f)) fail<ValueError>("Normal: deviation {} has {}, expected above 0", deviation.shape(), value);
  }
  if (!(mean_.shape() == shape)) mean_ = expand(mean_, shape);
  if (!(deviation_.shape() == shape)) deviation_ = expand(deviation_, shape);
}

Tensor Normal::rsample(const Shape& shape) const { return mean_ + deviation_ * normal(joined(shape, mean_.shape())); }
Tensor Normal::sample(const Shape& shape) const { return stop_gradient(rsample(shape)); }

Tensor Normal::log_prob(const Tensor& value) const {
  detail::require("Normal::log_prob", "value", value);
  static_cast<void>(broadcast_shapes("Normal::log_prob", value.shape(), mean_.shape()));
  return -0.5 * square((value - mean_) / deviation_) - log(deviation_) - half_log_2_pi;
}

Tensor Normal::entropy() const { return log(deviation_) + (0.5 + half_log_2_pi); }

Tensor TanhNormal::log_prob_before(const Tensor& before) const {
  // log(1 - tanh(x)^2) = 2 (log 2 - x - softplus(-2 x)), which stays exact where tanh is 1.
  return normal_.log_prob(before) - 2.0 * (std::log(2.0) - before - softplus(-2.0 * before));
}

Tensor TanhNormal::rsample(const Shape& shape) const { return temper::tanh(normal_.rsample(shape)); }
Tensor TanhNormal::sample(const Shape& shape) const { return stop_gradient(rsample(shape)); }

Drawn TanhNormal::rsample_with_log_prob(const Shape& shape) const {
  const Tensor before = normal_.rsample(shape);
  return {temper::tanh(before), log_prob_before(before)};
}

Tensor TanhNormal::log_prob(const Tensor& value) const {
  detail::require("TanhNormal::log_prob", "value", value);
  constexpr float largest = 1.0f - 0x1p-24f;
  return log_prob_before(atanh(clamp(value, -largest, largest)));
}

Categorical::Categorical(const Tensor& logits) {
  detail::require("Categorical", "logits", logits);
  if (logits.rank() == 0 || logits.size(-1) == 0) {
    fail<ShapeError>("Categorical: logits {}, expected [..., classes]", logits.shape());
  }
  logits_ = log_softmax(logits, -1);
}

Tensor Categorical::sample(const Shape& shape) const {
  const Tensor logits = stop_gradient(logits_);
  return argmax(logits + gumbel(joined(shape, logits.shape())), -1);
}

Tensor Categorical::log_prob(const Tensor& value) const {
  constexpr const char* name = "Categorical::log_prob";
  detail::require(name, "value", value, Dtype::i64);
  const Shape batch = logits_.shape().without_axis(-1), shape = broadcast_shapes(name, value.shape(), batch);
  for (const std::int64_t choice : value.values<std::int64_t>()) {
    if (choice < 0 || choice >= logits_.size(-1)) {
      fail<ValueError>("{}: class {} is outside the {} classes", name, choice, logits_.size(-1));
    }
  }
  const Shape whole = shape.with_axis(-1, logits_.size(-1));
  const Tensor logits = logits_.shape() == whole ? logits_ : expand(logits_, whole);
  Tensor places = value;
  if (!(value.shape() == shape)) places = value + zeros(shape, Dtype::i64);
  return squeeze(gather(logits, -1, unsqueeze(places, -1)), -1);
}

Tensor Categorical::entropy() const {
  // A class that is impossible adds 0.
  const Tensor lowest = scalar(-0x1p126f);
  return -sum(exp(logits_) * maximum(logits_, lowest), -1);
}

Tensor Categorical::probabilities() const { return exp(logits_); }

Bernoulli::Bernoulli(const Tensor& logits) : logits_(logits) { detail::require("Bernoulli", "logits", logits); }

Tensor Bernoulli::sample(const Shape& shape) const {
  return to(less(uniform(joined(shape, logits_.shape())), sigmoid(stop_gradient(logits_))), Dtype::f32);
}

Tensor Bernoulli::log_prob(const Tensor& value) const {
  detail::require("Bernoulli::log_prob", "value", value);
  const Shape shape = broadcast_shapes("Bernoulli::log_prob", value.shape(), logits_.shape());
  const auto whole = [&](const Tensor& x) { return x.shape() == shape ? x : expand(x, shape); };
  return -bce_with_logits(whole(logits_), whole(value), {.reduction = Reduction::none});
}

Tensor Bernoulli::probabilities() const { return sigmoid(logits_); }
Tensor Bernoulli::entropy() const { return bce_with_logits(logits_, probabilities(), {.reduction = Reduction::none}); }

Tensor kl_divergence(const Normal& p, const Normal& q) {
  static_cast<void>(broadcast_shapes("kl_divergence", p.mean().shape(), q.mean().shape()));
  const Tensor ratio = square(p.deviation() / q.deviation()), distance = square((p.mean() - q.mean()) / q.deviation());
  return 0.5 * (ratio + distance - 1.0 - log(ratio));
}

Tensor kl_divergence(const Categorical& p, const Categorical& q) {
  static_cast<void>(broadcast_shapes("kl_divergence", p.logits().shape(), q.logits().shape()));
  const Tensor some = greater(stop_gradient(p.logits()), scalar(-HUGE_VALF)), zero = scalar(0.0f);
  // Where p is 0 there is nothing to tell apart.
  const Tensor left = where(some, p.logits(), zero), right = where(some, q.logits(), zero);
  return sum(p.probabilities() * (left - right), -1);
}

Tensor kl_divergence(const Bernoulli& p, const Bernoulli& q) {
  static_cast<void>(broadcast_shapes("kl_divergence", p.logits().shape(), q.logits().shape()));
  const Tensor chance = p.probabilities();
  // log(s(a) / s(b)) = softplus(-b) - softplus(-a), and likewise for the rest.
  return chance * (softplus(-q.logits()) - softplus(-p.logits())) +
         (1 - chance) * (softplus(q.logits()) - softplus(p.logits()));
}

Tensor gumbel_softmax(const Tensor& logits, const GumbelSoftmaxOptions& options) {
  constexpr const char* name = "gumbel_softmax";
  detail::require(name, "logits", logits);
  if (logits.rank() == 0) fail<ShapeError>("{}: logits [], expected [..., classes]", name);
  if (!(options.tau > 0.0f)) fail<ValueError>("{}: tau {}, expected above 0", name, options.tau);
  const Tensor soft = softmax((logits + gumbel(logits.shape())) / options.tau, -1);
  if (!options.hard) return soft;
  const Tensor choice = stop_gradient(soft);
  const Tensor hard = to(one_hot(argmax(choice, -1), logits.size(-1)), Dtype::f32);
  return hard - choice + soft;
}

}  // namespace temper::distributions
