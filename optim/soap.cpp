#include <temper/optim/soap.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/kernels/matmul.hpp"
#include "optim/kernels/table.hpp"
#include "optim/symmetric_internal.hpp"

namespace temper::optim {

namespace {

namespace hyper {
enum : std::size_t { lr, beta1, beta2, shampoo_beta, eps, weight_decay };
}
enum : std::size_t { exp_avg, exp_avg_sq, left_sum, right_sum, left_basis, right_basis };

/// The shape of a weight as a matrix.
struct Sides {
  std::int64_t rows, columns;
};
Sides sides_of(const Shape& shape) {
  const std::int64_t rows = shape.rank() > 0 ? shape[0] : 1;
  return {rows, rows > 0 ? shape.numel() / rows : 0};
}

Definition define(const SOAPOptions& options) {
  if (options.every < 1 || options.max_side < 1) {
    fail<ValueError>("SOAP: bases are renewed every {} updates for sides of at most {}, expected at least 1",
                     options.every, options.max_side);
  }
  using Kind = StateSpec::Kind;
  const auto rotated = [most = options.max_side](const Parameter& p, bool left) {
    const Sides sides = sides_of(p.shape());
    return p.shape().rank() >= 2 && (left ? sides.rows : sides.columns) <= most;
  };
  const Predicate left = [=](const Parameter& p) { return rotated(p, true); };
  const Predicate right = [=](const Parameter& p) { return rotated(p, false); };
  return {.name = "SOAP",
          .hypers = {{"lr", options.lr},
                     {"beta1", options.beta1, Hyper::Range::fraction},
                     {"beta2", options.beta2, Hyper::Range::fraction},
                     {"shampoo_beta", options.shampoo_beta, Hyper::Range::fraction},
                     {"eps", options.eps},
                     {"weight_decay", options.weight_decay}},
          .states = {"exp_avg",
                     "exp_avg_sq",
                     {"left_sum", Kind::rows_squared, left},
                     {"right_sum", Kind::columns_squared, right},
                     {"left_basis", Kind::rows_squared, left},
                     {"right_basis", Kind::columns_squared, right}},
          .clip_norm = options.clip_norm,
          .nonfinite = options.nonfinite,
          .maximize = options.maximize,
          .whole = anything(),
          .decay = options.decay,
          .variant = fmt::format(", every {}", options.every),
          .second_moment = "beta2"};
}

using Matrix = std::vector<float>;

/// y = op(a) op(b), both with an inner size of `inner`.
Matrix product(const float* a, bool transpose_a, const float* b, bool transpose_b, std::int64_t rows,
               std::int64_t columns, std::int64_t inner) {
  Matrix y(static_cast<std::size_t>(rows * columns));
  kernels::matmul({.m = rows, .n = columns, .k = inner, .transpose_a = transpose_a, .transpose_b = transpose_b}, a, b,
                  nullptr, y.data());
  return y;
}

/// Rotates x [rows, columns] into the bases, or back.
Matrix rotated(const Matrix& x, const float* left, const float* right, Sides sides, bool back) {
  Matrix y = x;
  if (left != nullptr) y = product(left, !back, y.data(), false, sides.rows, sides.columns, sides.rows);
  if (right != nullptr) y = product(y.data(), false, right, back, sides.rows, sides.columns, sides.columns);
  return y;
}

/// sum = keep * sum + (1 - keep) x x', or x' x.
void add_outer(float* sum, const Matrix& x, Sides sides, bool left, double keep) {
  const std::int64_t n = left ? sides.rows : sides.columns;
  const Matrix outer = left ? product(x.data(), false, x.data(), true, n, n, sides.columns)
                            : product(x.data(), true, x.data(), false, n, n, sides.rows);
  optim_kernels::current().mix(sum, static_cast<float>(keep), outer.data(), static_cast<float>(1.0 - keep), n * n);
}

std::vector<double> widened(const float* x, std::int64_t n) { return {x, x + n}; }

void first_basis(float* basis, const float* sum, std::int64_t n) {
  const std::vector<double> vectors = detail::eigenvectors(widened(sum, n * n), n);
  std::transform(vectors.begin(), vectors.end(), basis, [](double x) { return static_cast<float>(x); });
}

/// One power iteration. Sorts the directions by their eigenvalues first; `order` gets the old index of each.
std::vector<std::int64_t> renew_basis(float* basis, const float* sum, std::int64_t n) {
  const Matrix image = product(sum, false, basis, false, n, n, n);
  std::vector<double> values(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      values[static_cast<std::size_t>(j)] +=
          static_cast<double>(basis[i * n + j]) * static_cast<double>(image[static_cast<std::size_t>(i * n + j)]);
    }
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::int64_t i, std::int64_t j) {
    return values[static_cast<std::size_t>(i)] > values[static_cast<std::size_t>(j)];
  });
  std::vector<double> sorted(image.size());
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      sorted[static_cast<std::size_t>(i * n + j)] =
          static_cast<double>(image[static_cast<std::size_t>(i * n + order[static_cast<std::size_t>(j)])]);
    }
  }
  const std::vector<double> vectors = detail::orthogonal_basis(std::move(sorted), n);
  std::transform(vectors.begin(), vectors.end(), basis, [](double x) { return static_cast<float>(x); });
  return order;
}

/// Reorders the second moments as the directions they belong to.
void permute(float* v, Sides sides, const std::vector<std::int64_t>& order, bool left) {
  const Matrix old(v, v + sides.rows * sides.columns);
  for (std::int64_t i = 0; i < sides.rows; ++i) {
    for (std::int64_t j = 0; j < sides.columns; ++j) {
      const std::int64_t from_row = left ? order[static_cast<std::size_t>(i)] : i;
      const std::int64_t from_column = left ? j : order[static_cast<std::size_t>(j)];
      v[i * sides.columns + j] = old[static_cast<std::size_t>(from_row * sides.columns + from_column)];
    }
  }
}

}  // namespace

SOAP::SOAP(Groups groups, const SOAPOptions& options)
    : Optimizer(std::move(groups), define(options)), decay_(options.decay), every_(options.every) {}

void SOAP::prepare(Now& now) const {
  // The first update only computes the bases.
  if (now.t == 1) return;
  now.products[0] *= now.hyper[hyper::beta1];
  now.products[1] *= now.hyper[hyper::beta2];
}

void SOAP::transform(const Whole& whole) const {
  const std::int64_t n = whole.shape.numel();
  if (n == 0) return;
  const auto& h = whole.now.hyper;
  const Sides sides = sides_of(whole.shape);
  float *const left = whole.memory[left_basis], *const right = whole.memory[right_basis];
  Matrix g(static_cast<std::size_t>(n));
  optim_kernels::current().scale(whole.g, static_cast<float>(whole.now.scale), g.data(), n);
  const auto add_to_sums = [&] {
    if (left != nullptr) add_outer(whole.memory[left_sum], g, sides, true, h[hyper::shampoo_beta]);
    if (right != nullptr) add_outer(whole.memory[right_sum], g, sides, false, h[hyper::shampoo_beta]);
  };
  if (whole.now.t == 1) {
    add_to_sums();
    if (left != nullptr) first_basis(left, whole.memory[left_sum], sides.rows);
    if (right != nullptr) first_basis(right, whole.memory[right_sum], sides.columns);
    std::fill_n(whole.g, n, 0.0f);
    return;
  }
  const Matrix turned = rotated(g, left, right, sides, false);
  float *const m = whole.memory[exp_avg], *const v = whole.memory[exp_avg_sq];
  for (std::int64_t i = 0; i < n; ++i) {
    const double x = static_cast<double>(turned[static_cast<std::size_t>(i)]);
    m[i] = static_cast<float>(h[hyper::beta1] * static_cast<double>(m[i]) +
                              (1.0 - h[hyper::beta1]) * static_cast<double>(g[static_cast<std::size_t>(i)]));
    v[i] = static_cast<float>(h[hyper::beta2] * static_cast<double>(v[i]) + (1.0 - h[hyper::beta2]) * x * x);
  }
  Matrix u = rotated(Matrix(m, m + n), left, right, sides, false);
  const double correction = std::sqrt(1.0 - whole.now.products[1]) / (1.0 - whole.now.products[0]);
  for (std::int64_t i = 0; i < n; ++i) {
    float& x = u[static_cast<std::size_t>(i)];
    x = static_cast<float>(correction * static_cast<double>(x) /
                           (std::sqrt(static_cast<double>(v[i])) + h[hyper::eps]));
  }
  const Matrix step = rotated(u, left, right, sides, true);
  std::copy(step.begin(), step.end(), whole.g);
  add_to_sums();
  if ((whole.now.t - 1) % every_ != 0) return;
  if (left != nullptr) permute(v, sides, renew_basis(left, whole.memory[left_sum], sides.rows), true);
  if (right != nullptr) permute(v, sides, renew_basis(right, whole.memory[right_sum], sides.columns), false);
}

void SOAP::update(const Piece& piece) const {
  if (piece.now.t == 1) return;
  const double lr = piece.now.hyper[hyper::lr];
  const double decay = piece.now.hyper[hyper::weight_decay] * (decay_ == Decay::coupled ? lr : 1.0);
  const optim_kernels::SgdScalars scalars{.scale = 1.0f,
                                          .l2 = 0.0f,
                                          .keep = 0.0f,
                                          .take = 1.0f,
                                          .direct = 0.0f,
                                          .through = 1.0f,
                                          .lr = static_cast<float>(lr),
                                          .decay = static_cast<float>(decay)};
  optim_kernels::current().sgd(scalars, {.p = piece.p, .g = piece.g, .buf = nullptr, .lost = nullptr}, piece.n);
}

}  // namespace temper::optim
