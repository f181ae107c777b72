#include <temper/autograd/ops/interpolate.hpp>

#include <algorithm>
#include <cmath>

#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/autograd/ops/spatial_internal.hpp"
#include "framework/kernels/resample.hpp"

namespace temper {

namespace {

/// The position of output i in the input, in pixels.
double place_of(std::int64_t i, std::int64_t in, std::int64_t out, bool align_corners) {
  if (align_corners) return out == 1 ? 0.0 : static_cast<double>(i * (in - 1)) / static_cast<double>(out - 1);
  return (static_cast<double>(i) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
}

/// The cubic convolution kernel at distance t.
double cubic(double t) {
  constexpr double a = -0.75;
  t = std::abs(t);
  if (t <= 1.0) return ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
  return t < 2.0 ? (((t - 5.0) * t + 8.0) * t - 4.0) * a : 0.0;
}

kernels::Resampling resampling(std::int64_t in, std::int64_t out, const InterpolateOptions& options) {
  kernels::Resampling axis{.in = in, .out = out};
  axis.taps = options.mode == Interpolation::nearest ? 1 : options.mode == Interpolation::bilinear ? 2 : 4;
  axis.table.reserve(static_cast<std::size_t>(out * axis.taps));
  const auto add = [&](std::int64_t place, double weight) {
    axis.table.push_back({std::clamp<std::int64_t>(place, 0, in - 1), static_cast<float>(weight)});
  };
  for (std::int64_t i = 0; i < out; ++i) {
    if (options.mode == Interpolation::nearest) {
      add(i * in / out, 1.0);
      continue;
    }
    double at = place_of(i, in, out, options.align_corners);
    if (options.mode == Interpolation::bilinear) at = std::max(at, 0.0);
    const auto below = static_cast<std::int64_t>(std::floor(at));
    const double past = at - static_cast<double>(below);
    if (options.mode == Interpolation::bilinear) {
      add(below, 1.0 - past);
      add(below + 1, past);
    } else {
      for (std::int64_t k = -1; k <= 2; ++k) add(below + k, cubic(past - static_cast<double>(k)));
    }
  }
  return axis;
}

/// x along one axis, the others seen as [outer, in, inner].
Tensor along(const Tensor& x, int axis, std::int64_t out, const InterpolateOptions& options) {
  if (x.size(axis) == out) return x;  // every output is its own input
  const detail::AxisView view = detail::view_of(x.shape(), axis);
  kernels::Resampling task = resampling(view.size, out, options);
  Tensor y = empty(x.shape().resized(axis, out), x.dtype());
  detail::with_type(
      x.dtype(), [&]<class T>() { kernels::resample(task, x.data<T>(), view.outer, view.inner, y.mutable_data<T>()); });
  return record({"interpolate", {{"axis", axis}, {"mode", options.mode}, {"align_corners", options.align_corners}}}, y,
                {x}, [task = std::move(task), view, x = x.shape()](const Tensor& dy, Gradients& gradients) {
                  Tensor dx = empty(x, dy.dtype());
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    kernels::resample_backward(task, dy.data<T>(), view.outer, view.inner, dx.mutable_data<T>());
                  });
                  gradients.give(0, std::move(dx));
                });
}

void check_factor(const char* name, const Tensor& x, std::int64_t factor, bool fits) {
  if (factor < 1) fail<ValueError>("{}: factor {}, expected at least 1", name, factor);
  if (!fits) fail<ShapeError>("{}: the sizes of input {} do not divide by the factor {}", name, x.shape(), factor);
}

}  // namespace

Tensor interpolate(const Tensor& x, Pair2 output, const InterpolateOptions& options) {
  detail::check_image("interpolate", x);
  detail::check_at_least("interpolate", "output", output, 1);
  return along(along(x, 1, output.h, options), 2, output.w, options);
}

Tensor pixel_shuffle(const Tensor& x, std::int64_t factor) {
  detail::check_image("pixel_shuffle", x);
  check_factor("pixel_shuffle", x, factor, factor > 0 && x.size(3) % (factor * factor) == 0);
  const std::int64_t n = x.size(0), h = x.size(1), w = x.size(2), channels = x.size(3) / (factor * factor);
  const Tensor squares = permute(reshape(x, {n, h, w, channels, factor, factor}), {0, 1, 4, 2, 5, 3});
  return reshape(squares, {n, h * factor, w * factor, channels});
}

Tensor pixel_unshuffle(const Tensor& x, std::int64_t factor) {
  detail::check_image("pixel_unshuffle", x);
  check_factor("pixel_unshuffle", x, factor, factor > 0 && x.size(1) % factor == 0 && x.size(2) % factor == 0);
  const std::int64_t n = x.size(0), h = x.size(1) / factor, w = x.size(2) / factor, channels = x.size(3);
  const Tensor pixels = permute(reshape(x, {n, h, factor, w, factor, channels}), {0, 1, 3, 5, 2, 4});
  return reshape(pixels, {n, h, w, channels * factor * factor});
}

}  // namespace temper
