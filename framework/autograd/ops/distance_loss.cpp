#include <temper/autograd/ops/distance_loss.hpp>

#include <limits>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/compare.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/ops/statistics.hpp>
#include <temper/autograd/ops/unary.hpp>

#include "framework/autograd/ops/loss_internal.hpp"

namespace temper {

using detail::require;
using detail::require_reducible;
using detail::require_same;
using detail::summarized;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

void require_at_least_0(const char* name, const char* option, double value) {
  if (!(value >= 0.0)) fail<ValueError>("{}: {} {}, expected at least 0", name, option, value);
}

void require_signs(const char* name, const Tensor& y) {
  for (const float value : y.values<float>()) {
    if (value != 1.0f && value != -1.0f) fail<ValueError>("{}: y {} has {}, expected 1 and -1", name, y.shape(), value);
  }
}

void require_power(const char* name, double p) {
  if (!(p >= 1.0)) fail<ValueError>("{}: p {}, expected 1 to infinity", name, p);
}

/// Where y is 1.
Tensor positive(const Tensor& y) { return greater(stop_gradient(y), scalar(0.0f)); }

Tensor cosine(const Tensor& a, const Tensor& b, int axis, float eps) {
  const auto length = [&](const Tensor& x) { return clamp(norm(x, 2.0, axis), eps, infinity); };
  return sum(a * b, axis) / (length(a) * length(b));
}

Tensor distance(const Tensor& a, const Tensor& b, const DistanceOptions& options) {
  return norm(a - b + options.eps, options.p, -1, {.keepdim = options.keepdim});
}

}  // namespace

Tensor normalize(const Tensor& x, const NormalizeOptions& options) {
  require("normalize", "input", x);
  detail::require_axis("normalize", "input", x, options.axis);
  require_power("normalize", options.p);
  require_at_least_0("normalize", "eps", options.eps);
  return x / clamp(norm(x, options.p, options.axis, {.keepdim = true}), options.eps, infinity);
}

Tensor cosine_similarity(const Tensor& a, const Tensor& b, const SimilarityOptions& options) {
  constexpr const char* name = "cosine_similarity";
  require(name, "a", a);
  require(name, "b", b);
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  if (options.axis < -shape.rank() || options.axis >= shape.rank()) {
    fail<ShapeError>("{}: axis {} of inputs that broadcast to {}", name, options.axis, shape);
  }
  require_at_least_0(name, "eps", options.eps);
  const auto whole = [&](const Tensor& x) { return x.shape() == shape ? x : expand(x, shape); };
  return cosine(whole(a), whole(b), options.axis, options.eps);
}

Tensor pairwise_distance(const Tensor& a, const Tensor& b, const DistanceOptions& options) {
  constexpr const char* name = "pairwise_distance";
  require(name, "a", a);
  require(name, "b", b);
  const Shape shape = broadcast_shapes(name, a.shape(), b.shape());
  if (shape.rank() == 0) fail<ShapeError>("{}: a {} and b {}, expected [..., D]", name, a.shape(), b.shape());
  require_power(name, options.p);
  return distance(a, b, options);
}

Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& y, const MarginOptions& options) {
  constexpr const char* name = "cosine_embedding_loss";
  require(name, "a", a);
  require_same(name, "b", b, "a", a);
  require(name, "y", y);
  if (a.rank() < 1 || a.rank() > 2 || !(y.shape() == a.shape().without_axis(-1))) {
    fail<ShapeError>("{}: a {} and y {}, expected [N, D] and [N], or [D] and []", name, a.shape(), y.shape());
  }
  require_signs(name, y);
  require_reducible(name, y, options.reduction);
  const Tensor cos = cosine(a, b, -1, 1e-6f);
  return summarized(where(positive(y), 1 - cos, relu(cos - options.margin)), options.reduction);
}

Tensor margin_ranking_loss(const Tensor& a, const Tensor& b, const Tensor& y, const MarginOptions& options) {
  constexpr const char* name = "margin_ranking_loss";
  require(name, "a", a);
  require_same(name, "b", b, "a", a);
  require_same(name, "y", y, "a", a);
  require_reducible(name, a, options.reduction);
  return summarized(relu(options.margin - y * (a - b)), options.reduction);
}

Tensor hinge_embedding_loss(const Tensor& x, const Tensor& y, const MarginOptions& options) {
  constexpr const char* name = "hinge_embedding_loss";
  require(name, "input", x);
  require_same(name, "y", y, "input", x);
  require_signs(name, y);
  require_reducible(name, x, options.reduction);
  return summarized(where(positive(y), x, relu(options.margin - x)), options.reduction);
}

Tensor soft_margin_loss(const Tensor& x, const Tensor& y, const LossOptions& options) {
  constexpr const char* name = "soft_margin_loss";
  require(name, "input", x);
  require_same(name, "y", y, "input", x);
  require_reducible(name, x, options.reduction);
  return summarized(softplus(-y * x), options.reduction);
}

Tensor multi_margin_loss(const Tensor& x, const Tensor& labels, const MultiMarginOptions& options) {
  constexpr const char* name = "multi_margin_loss";
  require(name, "input", x);
  require(name, "labels", labels, Dtype::i64);
  if (x.rank() != 2 || !(labels.shape() == Shape{x.size(0)})) {
    fail<ShapeError>("{}: input {} and labels {}, expected [N, classes] and [N]", name, x.shape(), labels.shape());
  }
  if (options.p != 1 && options.p != 2) fail<ValueError>("{}: p {}, expected 1 or 2", name, options.p);
  require_reducible(name, labels, options.reduction);
  const std::int64_t rows = x.size(0), classes = x.size(1);
  Tensor others = ones(x.shape());
  float* const other = others.mutable_data<float>();
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t label = labels.data<std::int64_t>()[row];
    if (label < 0 || label >= classes) {
      fail<ValueError>("{}: label {} of row {} is outside the {} classes", name, label, row, classes);
    }
    other[row * classes + label] = 0.0f;
  }
  const Tensor own = gather(x, 1, detail::alias(labels, {rows, 1}));
  Tensor terms = relu(options.margin - own + x);
  if (options.p == 2) terms = square(terms);
  return summarized(sum(terms * others, 1) / classes, options.reduction);
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           const TripletOptions& options) {
  constexpr const char* name = "triplet_margin_loss";
  require(name, "anchor", anchor);
  require_same(name, "positive", positive, "anchor", anchor);
  require_same(name, "negative", negative, "anchor", anchor);
  if (anchor.rank() == 0) fail<ShapeError>("{}: anchor [], expected [..., D]", name);
  require_power(name, options.p);
  require_reducible(name, anchor, options.reduction);
  const DistanceOptions distances{.p = options.p, .eps = options.eps};
  Tensor away = distance(anchor, negative, distances);
  if (options.swap) away = minimum(away, distance(positive, negative, distances));
  return summarized(relu(distance(anchor, positive, distances) - away + options.margin), options.reduction);
}

}  // namespace temper
