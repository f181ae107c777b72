#include <temper/autograd/ops/weight_norm.hpp>

#include <array>
#include <limits>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/matmul.hpp>
#include <temper/autograd/ops/statistics.hpp>
#include <temper/autograd/random.hpp>

#include "framework/autograd/ops/ops_internal.hpp"

namespace temper {

Tensor weight_norm(const Tensor& v, const Tensor& g, int axis) {
  constexpr const char* name = "weight_norm";
  detail::require(name, "v", v);
  detail::require(name, "g", g);
  const int along = detail::require_axis(name, "v", v, axis);
  std::array<int, Shape::max_rank> others{};
  std::size_t count = 0;
  Shape expected = v.shape();
  for (int i = 0; i < v.rank(); ++i) {
    if (i == along) continue;
    others[count++] = i;
    expected = expected.resized(i, 1);
  }
  if (!(g.shape() == expected)) {
    fail<ShapeError>("{}: g {}, v {} expects {}", name, g.shape(), v.shape(), expected);
  }
  if (count == 0) return v * (g / abs(v));
  return v * (g / norm(v, 2.0, Axes(std::span<const int>(others.data(), count)), {.keepdim = true}));
}

namespace {

/// x / max(|x|, eps) of a vector.
Tensor unit(const Tensor& x, float eps) { return x / clamp(norm(x), eps, std::numeric_limits<float>::infinity()); }

}  // namespace

Tensor spectral_norm(const Tensor& weight, Tensor u, Tensor v, const SpectralNormOptions& options) {
  constexpr const char* name = "spectral_norm";
  detail::require(name, "weight", weight);
  detail::require(name, "u", u);
  detail::require(name, "v", v);
  if (weight.rank() == 0 || weight.numel() == 0) {
    fail<ShapeError>("{}: weight {}, expected [rows, ...] with something in it", name, weight.shape());
  }
  const std::int64_t rows = weight.size(0), columns = weight.numel() / rows;
  if (!(u.shape() == Shape{rows} && v.shape() == Shape{columns})) {
    fail<ShapeError>("{}: u {} and v {}, weight {} expects [{}] and [{}]", name, u.shape(), v.shape(), weight.shape(),
                     rows, columns);
  }
  if (options.iterations < 0 || !(options.eps > 0.0f)) {
    fail<ValueError>("{}: {} iterations and eps {}, expected at least 0, and above 0", name, options.iterations,
                     options.eps);
  }
  const Tensor matrix = detail::alias(weight, {rows, columns});
  Tensor left = u.clone().view({rows, 1}), right = v.clone().view({columns, 1});
  if (training() && !detail::recomputing()) {
    for (int i = 0; i < options.iterations; ++i) {
      right = unit(matmul(matrix, left, {.transpose_a = true}), options.eps);
      left = unit(matmul(matrix, right), options.eps);
    }
    u.copy_from(left.view({rows}));
    v.copy_from(right.view({columns}));
  }
  // u^T W v, whose gradient is u v^T.
  const Tensor recorded = detail::viewed(name, weight, {rows, columns});
  const Tensor largest = matmul(matmul(stop_gradient(left), recorded, {.transpose_a = true}), stop_gradient(right));
  return weight / largest.view({});
}

}  // namespace temper
