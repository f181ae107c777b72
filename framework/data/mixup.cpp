#include <temper/data/mixup.hpp>

#include <algorithm>
#include <cmath>

#include <temper/core/random.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::data::detail {

namespace {

/// A number of the Gamma distribution of this shape and scale 1; takes numbers from `counter` on.
/// Source: Marsaglia, Tsang, "A simple method for generating gamma variables" (2000).
double gamma(double shape, const temper::detail::RandomStream& random, std::uint64_t& counter) {
  if (shape < 1.0) {
    const double root = std::pow(1.0 - random.uniform(counter++), 1.0 / shape);
    return gamma(shape + 1.0, random, counter) * root;
  }
  const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = random.normal(counter++), v = std::pow(1.0 + c * x, 3);
    const double u = 1.0 - random.uniform(counter++);
    if (v > 0.0 && std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace

void check_mixup(const MixupOptions& options) {
  if (!(options.alpha > 0.0 && std::isfinite(options.alpha))) {
    fail<ValueError>("Mixup: alpha {}, expected above 0", options.alpha);
  }
  if (options.classes < 1) fail<ValueError>("Mixup: {} classes, expected at least 1", options.classes);
}

Mix draw_mix(const Epoch& epoch, std::int64_t i, std::int64_t size, double alpha) {
  const temper::detail::RandomStream random(epoch.seed, temper::detail::RandomUse::mixup,
                                            static_cast<std::uint64_t>(epoch.number), static_cast<std::uint64_t>(i));
  const auto partner = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(size), 0));
  std::uint64_t counter = 1;
  const double a = gamma(alpha, random, counter), b = gamma(alpha, random, counter);
  // Of a tiny alpha both can be too small for a double; the distribution is then that of a coin.
  const double share = a + b > 0.0 ? a / (a + b) : random.uniform(counter) < 0.5 ? 0.0 : 1.0;
  return {partner, static_cast<float>(share)};
}

Tensor mixed(const Tensor& a, const Tensor& b, float share) {
  if (a.dtype() != Dtype::f32 || b.dtype() != Dtype::f32 || !(a.shape() == b.shape())) {
    fail<ShapeError>("Mixup: inputs {} {} and {} {}, expected f32 of one shape", a.dtype(), a.shape(), b.dtype(),
                     b.shape());
  }
  Tensor mix = empty(a.shape());
  std::ranges::transform(a.values<float>(), b.values<float>(), mix.mutable_data<float>(),
                         [share](float x, float y) { return share * x + (1.0f - share) * y; });
  return mix;
}

Tensor mixed_labels(const Tensor& a, const Tensor& b, float share, std::int64_t classes) {
  Tensor probabilities = zeros({classes});
  const auto add = [&](const Tensor& label, float part) {
    if (label.dtype() != Dtype::i64 || label.rank() != 0) {
      fail<ShapeError>("Mixup: label {} {}, expected i64 []", label.dtype(), label.shape());
    }
    const std::int64_t k = *label.data<std::int64_t>();
    if (k < 0 || k >= classes) fail<ValueError>("Mixup: label {}, expected 0 to {}", k, classes - 1);
    probabilities.mutable_data<float>()[k] += part;
  };
  add(a, share);
  add(b, 1.0f - share);
  return probabilities;
}

}  // namespace temper::data::detail
