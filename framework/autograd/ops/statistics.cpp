#include <temper/autograd/ops/statistics.hpp>

#include <cmath>
#include <limits>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/unary.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/autograd/ops/reduce_internal.hpp"
#include "framework/kernels/scan.hpp"

namespace temper {

using detail::reduced;
using detail::Reduced;

namespace {

// These are made of other operations on f32, unrecorded, and recorded as one.

constexpr float smallest = std::numeric_limits<float>::min(), largest = std::numeric_limits<float>::max();

/// x in f32, as a tensor that no tape knows.
Tensor numbers(const char* name, const Tensor& x) {
  detail::require_float(name, "input", x);
  return x.dtype() == Dtype::f32 ? detail::alias(x, x.shape()) : detail::converted(x, Dtype::f32);
}

/// Calls `slope(dy)` for dy in f32 and in the shape with axes of size 1, and gives what it makes of it.
template <class Slope>
void give(Gradients& gradients, const Tensor& dy, const Shape& kept, Slope slope) {
  gradients.give(0, slope(detail::converted(dy, Dtype::f32).view(kept)));
}

/// As reduced() takes axes: none is all.
Tensor summed(const Tensor& x, const Axes& axes) { return sum(x, axes, {.keepdim = true}); }

struct Spread {
  Reduced to;
  float divisor;
  Tensor numbers, mean, variance;  // f32, the last two in the shape with axes of size 1
};

Spread spread(const char* name, const Tensor& x, const Axes& axes, const VarOptions& options) {
  const Tensor in = numbers(name, x);
  const Reduced to = reduced(name, x, axes);
  if (to.count <= options.correction || options.correction < 0) {
    fail<ValueError>("{}: {} numbers of input {} with correction {}, expected more, and a correction from 0 up", name,
                     to.count, x.shape(), options.correction);
  }
  const auto divisor = static_cast<float>(to.count - options.correction);
  const Tensor middle = mean(in, axes, {.keepdim = true});
  return {to, divisor, in, middle, summed(square(in - middle), axes) / divisor};
}

}  // namespace

Tensor var(const Tensor& x, const Axes& axes, const VarOptions& options) {
  const Spread s = spread("var", x, axes, options);
  const Tensor y = detail::converted(s.variance.view(s.to.result(options.keepdim)), x.dtype());
  return record(
      {"var", {{"axes", axes}, {"keepdim", options.keepdim}, {"correction", options.correction}}}, y, {x},
      [x = save(x), mean = s.mean, kept = s.to.kept, divisor = s.divisor](const Tensor& dy, Gradients& gradients) {
        give(gradients, dy, kept, [&](const Tensor& slope) {
          return (detail::converted(x, Dtype::f32) - mean) * (slope * (2.0f / divisor));
        });
      });
}

Tensor std(const Tensor& x, const Axes& axes, const VarOptions& options) {
  const Spread s = spread("std", x, axes, options);
  const Tensor deviation = sqrt(s.variance);
  const Tensor y = detail::converted(deviation.view(s.to.result(options.keepdim)), x.dtype());
  return record({"std", {{"axes", axes}, {"keepdim", options.keepdim}, {"correction", options.correction}}}, y, {x},
                [x = save(x), mean = s.mean, deviation = save(deviation), kept = s.to.kept, divisor = s.divisor](
                    const Tensor& dy, Gradients& gradients) {
                  give(gradients, dy, kept, [&](const Tensor& slope) {
                    // Where the deviation is 0, so are all differences.
                    const Tensor factor = slope / (clamp(*deviation, smallest, largest) * divisor);
                    return (detail::converted(x, Dtype::f32) - mean) * factor;
                  });
                });
}

Tensor norm(const Tensor& x, double p, const Axes& axes, ReduceOptions options) {
  const Tensor size = abs(numbers("norm", x));
  const Reduced to = reduced("norm", x, axes);
  if (!(p >= 1.0)) fail<ValueError>("norm: p {}, expected 1 to infinity", p);
  if (std::isinf(p)) {
    if (to.count == 0) fail<ValueError>("norm: input {} has nothing to choose from", x.shape());
    return temper::to(max(abs(temper::to(x, Dtype::f32)), axes, options), x.dtype());
  }
  if (p == 1.0) return sum(abs(x), axes, options);
  if (to.count == 0) return sum(x, axes, options);
  // Divided by the largest, which no power takes out of the range then; at least by something.
  const Tensor scale = clamp(max(size, axes, {.keepdim = true}), smallest, largest), ratio = size / scale;
  const Tensor kept =
      p == 2.0 ? scale * sqrt(summed(square(ratio), axes)) : scale * pow(summed(pow(ratio, p), axes), 1.0 / p);
  const Tensor y = detail::converted(kept.view(to.result(options.keepdim)), x.dtype());
  return record({"norm", {{"axes", axes}, {"keepdim", options.keepdim}, {"p", p}}}, y, {x},
                [x = save(x), kept = save(kept), p](const Tensor& dy, Gradients& gradients) {
                  give(gradients, dy, kept->shape(), [&](const Tensor& slope) {
                    const Tensor share = detail::converted(x, Dtype::f32) / clamp(*kept, smallest, largest);
                    return slope * (p == 2.0 ? share : sign(share) * pow(abs(share), p - 1.0));
                  });
                });
}

Tensor logsumexp(const Tensor& x, const Axes& axes, ReduceOptions options) {
  const Tensor in = numbers("logsumexp", x);
  const Reduced to = reduced("logsumexp", x, axes);
  if (to.count == 0) fail<ValueError>("logsumexp: input {} has no numbers to sum", x.shape());
  // Kept finite, so that differences of infinities are none.
  const Tensor top = clamp(max(in, axes, {.keepdim = true}), -largest, largest);
  const Tensor rest = log(summed(exp(in - top), axes));
  const Tensor y = detail::converted((rest + top).view(to.result(options.keepdim)), x.dtype());
  return record({"logsumexp", {{"axes", axes}, {"keepdim", options.keepdim}}}, y, {x},
                [x = save(x), top, rest](const Tensor& dy, Gradients& gradients) {
                  give(gradients, dy, top.shape(), [&](const Tensor& slope) {
                    // One after the other: their sum has fewer digits.
                    return slope * exp(detail::converted(x, Dtype::f32) - top - clamp(rest, -largest, largest));
                  });
                });
}

namespace {

/// The product along an axis, which stays with size 1.
Tensor multiplied(const Tensor& x, const detail::AxisView& view, const Shape& kept) {
  const kernels::Scan scan{.outer = view.outer, .n = view.size, .inner = view.inner};
  Tensor y = empty(kept);
  kernels::product(scan, x.data<float>(), y.mutable_data<float>());
  return record("prod", y, {x}, [scan, x = save(x)](const Tensor& dy, Gradients& gradients) {
    Tensor dx = empty(x->shape());
    kernels::product_backward(scan, x->data<float>(), dy.data<float>(), dx.mutable_data<float>());
    gradients.give(0, dx);
  });
}

}  // namespace

Tensor prod(const Tensor& x, const Axes& axes, ReduceOptions options) {
  detail::require("prod", "input", x);
  const Reduced to = reduced("prod", x, axes);
  const auto named = [&](const Tensor& y) {
    return record({"prod", {{"axes", axes}, {"keepdim", options.keepdim}}}, y, {x});
  };
  if (axes.count() == 0) return named(multiplied(x, {1, x.numel(), 1}, to.result(options.keepdim)));
  Tensor y = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (to.kept[axis] == x.size(axis)) continue;
    y = multiplied(y, detail::view_of(y.shape(), axis), y.shape().resized(axis, 1));
  }
  return named(detail::viewed("prod", y, to.result(options.keepdim)));
}

}  // namespace temper
