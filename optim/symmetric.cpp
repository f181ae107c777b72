// Eigenvectors and orthogonal bases of small matrices, in double.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "optim/symmetric_internal.hpp"

namespace temper::optim::detail {

namespace {

/// Applies a Givens rotation to rows p and q of x [., n].
void rotate(double* p, double* q, double c, double s, std::int64_t n) {
  for (std::int64_t k = 0; k < n; ++k) {
    const double x = p[k], y = q[k];
    p[k] = c * x - s * y;
    q[k] = s * x + c * y;
  }
}

std::vector<double> transposed(const std::vector<double>& a, std::int64_t n) {
  std::vector<double> result(a.size());
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      result[static_cast<std::size_t>(j * n + i)] = a[static_cast<std::size_t>(i * n + j)];
    }
  }
  return result;
}

}  // namespace

/// Source: Jacobi's method, cyclic by rows; Golub, Van Loan, "Matrix computations" (2013), section 8.5.
std::vector<double> eigenvectors(std::vector<double> a, std::int64_t n) {
  std::vector<double> v(a.size());  // rows are eigenvectors
  for (std::int64_t i = 0; i < n; ++i) v[static_cast<std::size_t>(i * n + i)] = 1.0;
  const auto row = [n](std::vector<double>& x, std::int64_t i) { return x.data() + i * n; };
  double total = 0.0;
  for (const double x : a) total += x * x;
  constexpr int sweeps = 30;
  for (int sweep = 0; sweep < sweeps; ++sweep) {
    double off = 0.0;
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < i; ++j) off += row(a, i)[j] * row(a, i)[j];
    }
    if (!(off > 1e-30 * total)) break;
    for (std::int64_t p = 0; p + 1 < n; ++p) {
      for (std::int64_t q = p + 1; q < n; ++q) {
        const double apq = row(a, p)[q], app = row(a, p)[p], aqq = row(a, q)[q];
        if (apq * apq <= 1e-36 * total) continue;
        const double theta = (aqq - app) / (2.0 * apq);
        const double t = std::copysign(1.0, theta) / (std::abs(theta) + std::sqrt(theta * theta + 1.0));
        const double c = 1.0 / std::sqrt(t * t + 1.0), s = t * c;
        rotate(row(a, p), row(a, q), c, s, n);
        // The same rotation of the columns, after which the matrix is symmetric again.
        for (std::int64_t k = 0; k < n; ++k) {
          if (k == p || k == q) continue;
          row(a, k)[p] = row(a, p)[k];
          row(a, k)[q] = row(a, q)[k];
        }
        row(a, p)[p] = app - t * apq;
        row(a, q)[q] = aqq + t * apq;
        row(a, p)[q] = row(a, q)[p] = 0.0;
        rotate(row(v, p), row(v, q), c, s, n);
      }
    }
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int64_t i, std::int64_t j) { return row(a, i)[i] > row(a, j)[j]; });
  std::vector<double> sorted(v.size());
  for (std::int64_t i = 0; i < n; ++i) {
    std::copy_n(row(v, order[static_cast<std::size_t>(i)]), n, sorted.data() + i * n);
  }
  return transposed(sorted, n);
}

/// Source: Householder; Golub, Van Loan, "Matrix computations" (2013), section 5.2.
std::vector<double> orthogonal_basis(std::vector<double> a, std::int64_t n) {
  std::vector<double> r = transposed(a, n);  // the columns of a as rows, for contiguous access below
  std::vector<double> q(a.size());
  for (std::int64_t i = 0; i < n; ++i) q[static_cast<std::size_t>(i * n + i)] = 1.0;
  std::vector<std::vector<double>> mirrors;
  const auto reflect = [n](const std::vector<double>& v, std::int64_t first, double* x) {
    double dot = 0.0;
    for (std::int64_t k = first; k < n; ++k) dot += v[static_cast<std::size_t>(k)] * x[k];
    for (std::int64_t k = first; k < n; ++k) x[k] -= 2.0 * dot * v[static_cast<std::size_t>(k)];
  };
  for (std::int64_t j = 0; j < n; ++j) {
    double* const x = r.data() + j * n;
    std::vector<double> v(x, x + n);
    double below = 0.0;
    for (std::int64_t k = j; k < n; ++k) below += x[k] * x[k];
    v[static_cast<std::size_t>(j)] += std::copysign(std::sqrt(below), x[j]);
    double size = 0.0;
    for (std::int64_t k = j; k < n; ++k) size += v[static_cast<std::size_t>(k)] * v[static_cast<std::size_t>(k)];
    for (std::int64_t k = j; k < n; ++k) v[static_cast<std::size_t>(k)] *= size > 0.0 ? 1.0 / std::sqrt(size) : 0.0;
    for (std::int64_t column = j; column < n; ++column) reflect(v, j, r.data() + column * n);
    mirrors.push_back(std::move(v));
  }
  // The basis is the product of all reflections, applied to the identity, the last one first.
  for (std::int64_t column = 0; column < n; ++column) {
    for (std::int64_t j = n; j-- > 0;) reflect(mirrors[static_cast<std::size_t>(j)], j, q.data() + column * n);
  }
  return transposed(q, n);
}

}  // namespace temper::optim::detail
