#pragma once

// Optimizers of matrices and distances, in double and one parameter at a time, after their papers: as plain as they can
// be written. tests/optim/references.cpp holds them against trajectories of other programs, and ours in f32 against
// them.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <deque>
#include <functional>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

namespace temper_test {

/// A matrix [rows, columns], row-major; a vector has one row.
struct Matrix {
  std::size_t rows = 0, columns = 0;
  std::vector<double> values = std::vector<double>(rows * columns);

  double& operator()(std::size_t i, std::size_t j) { return values[i * columns + j]; }
  double operator()(std::size_t i, std::size_t j) const { return values[i * columns + j]; }
};

inline Matrix transposed(const Matrix& a) {
  Matrix y{a.columns, a.rows};
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t j = 0; j < a.columns; ++j) y(j, i) = a(i, j);
  }
  return y;
}

inline Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix y{a.rows, b.columns};
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t k = 0; k < a.columns; ++k) {
      for (std::size_t j = 0; j < b.columns; ++j) y(i, j) += a(i, k) * b(k, j);
    }
  }
  return y;
}

/// s a + t b.
inline Matrix sum(double s, const Matrix& a, double t, const Matrix& b) {
  Matrix y = a;
  for (std::size_t i = 0; i < y.values.size(); ++i) y.values[i] = s * a.values[i] + t * b.values[i];
  return y;
}

inline double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}
inline double norm(const Matrix& a) { return std::sqrt(dot(a.values, a.values)); }

/// Steps of a x + (b x x' + c (x x')^2) x from x / max(|x|, 1e-7), on the shorter side.
inline Matrix newton_schulz(const Matrix& g, double a, double b, double c, int steps) {
  const bool tall = g.rows > g.columns;
  Matrix x = tall ? transposed(g) : g;
  const double divisor = std::max(norm(g), 1e-7);
  for (double& value : x.values) value /= divisor;
  for (int step = 0; step < steps; ++step) {
    const Matrix gram = x * transposed(x);
    x = sum(a, x, 1.0, sum(b, gram, c, gram * gram) * x);
  }
  return tall ? transposed(x) : x;
}

/// Source: Jordan et al., "Muon" (2024); Liu et al. (2025) for the scale of AdamW. With `row_beta`, NorMuon: Li et al.
/// (2025).
struct MuonReference {
  double lr, momentum, weight_decay, row_beta = -1.0;
  bool nesterov = true, spectral = false, exact = false;
  Matrix m{}, v{};

  void step(Matrix& p, const Matrix& g) {
    if (m.values.empty()) m = Matrix{p.rows, p.columns};
    m = sum(momentum, m, 1.0 - momentum, g);
    const Matrix way = nesterov ? sum(momentum, m, 1.0 - momentum, g) : m;
    Matrix u = exact ? newton_schulz(way, 2.0, -1.5, 0.5, 12) : newton_schulz(way, 3.4445, -4.7750, 2.0315, 5);
    if (row_beta >= 0.0) normalize(u);
    const auto rows = static_cast<double>(p.rows), columns = static_cast<double>(p.columns);
    const double scale = spectral ? std::sqrt(std::max(1.0, rows / columns)) : 0.2 * std::sqrt(std::max(rows, columns));
    p = sum(1.0 - lr * weight_decay, p, -lr * scale, u);
  }

 private:
  /// Divides rows by the root of their mean square's moving average, or columns if these are the more; keeps the norm.
  void normalize(Matrix& u) {
    const bool by_rows = u.rows >= u.columns;
    if (v.values.empty()) v = by_rows ? Matrix{u.rows, 1} : Matrix{1, u.columns};
    const double before = norm(u);
    for (std::size_t k = 0; k < v.values.size(); ++k) {
      double mean = 0.0;
      for (std::size_t i = 0; i < (by_rows ? u.columns : u.rows); ++i) {
        const double x = by_rows ? u(k, i) : u(i, k);
        mean += x * x / static_cast<double>(by_rows ? u.columns : u.rows);
      }
      v.values[k] = row_beta * v.values[k] + (1.0 - row_beta) * mean;
    }
    for (std::size_t i = 0; i < u.rows; ++i) {
      for (std::size_t j = 0; j < u.columns; ++j) u(i, j) /= std::sqrt(std::max(v.values[by_rows ? i : j], 1e-10));
    }
    const double factor = before / norm(u);
    for (double& x : u.values) x *= factor;
  }
};

/// The eigenvectors of a symmetric matrix as columns, by descending eigenvalues: cyclic Jacobi rotations.
inline Matrix eigenvectors(Matrix a) {
  const std::size_t n = a.rows;
  Matrix q{n, n};
  for (std::size_t i = 0; i < n; ++i) q(i, i) = 1.0;
  for (int sweep = 0; sweep < 60; ++sweep) {
    for (std::size_t r = 0; r < n; ++r) {
      for (std::size_t s = r + 1; s < n; ++s) {
        if (a(r, s) == 0.0) continue;
        const double angle = 0.5 * std::atan2(2.0 * a(r, s), a(r, r) - a(s, s)), c = std::cos(angle),
                     d = std::sin(angle);
        const auto turn = [&](double& x, double& y) { std::tie(x, y) = std::pair(c * x + d * y, c * y - d * x); };
        for (std::size_t i = 0; i < n; ++i) turn(a(i, r), a(i, s));
        for (std::size_t i = 0; i < n; ++i) turn(a(r, i), a(s, i));
        for (std::size_t i = 0; i < n; ++i) turn(q(i, r), q(i, s));
      }
    }
  }
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, [&](std::size_t i, std::size_t j) { return a(i, i) > a(j, j); });
  Matrix sorted{n, n};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) sorted(i, j) = q(i, order[j]);
  }
  return sorted;
}

/// The Q of a QR decomposition: Gram-Schmidt, twice.
inline Matrix orthonormal(Matrix a) {
  for (std::size_t j = 0; j < a.columns; ++j) {
    for (int pass = 0; pass < 2; ++pass) {
      for (std::size_t k = 0; k < j; ++k) {
        double share = 0.0;
        for (std::size_t i = 0; i < a.rows; ++i) share += a(i, j) * a(i, k);
        for (std::size_t i = 0; i < a.rows; ++i) a(i, j) -= share * a(i, k);
      }
    }
    double length = 0.0;
    for (std::size_t i = 0; i < a.rows; ++i) length += a(i, j) * a(i, j);
    for (std::size_t i = 0; i < a.rows; ++i) a(i, j) /= std::sqrt(length);
  }
  return a;
}

/// Source: Vyas et al., "SOAP" (2024), algorithm 3 with the authors' first update, which only makes the bases.
struct SoapReference {
  double lr, beta1, beta2, shampoo_beta, weight_decay;
  int every;
  int t = 0;
  Matrix m{}, v{}, left{}, right{}, left_basis{}, right_basis{};

  void step(Matrix& p, const Matrix& g) {
    if (t++ == 0) {
      m = v = Matrix{p.rows, p.columns};
      left = Matrix{p.rows, p.rows};
      right = Matrix{p.columns, p.columns};
      add(g);
      left_basis = eigenvectors(left);
      right_basis = eigenvectors(right);
      return;
    }
    const Matrix turned = transposed(left_basis) * g * right_basis;
    m = sum(beta1, m, 1.0 - beta1, g);
    Matrix u = transposed(left_basis) * m * right_basis;
    const double correction = std::sqrt(1.0 - std::pow(beta2, t - 1)) / (1.0 - std::pow(beta1, t - 1));
    for (std::size_t i = 0; i < u.values.size(); ++i) {
      v.values[i] = beta2 * v.values[i] + (1.0 - beta2) * turned.values[i] * turned.values[i];
      u.values[i] *= correction / (std::sqrt(v.values[i]) + 1e-8);
    }
    p = sum(1.0, p, -lr, left_basis * u * transposed(right_basis));
    p = sum(1.0 - lr * weight_decay, p, 0.0, p);
    add(g);
    if ((t - 1) % every != 0) return;
    const std::vector<std::size_t> rows = renew(left_basis, left), columns = renew(right_basis, right);
    const Matrix old = v;
    for (std::size_t i = 0; i < v.rows; ++i) {
      for (std::size_t j = 0; j < v.columns; ++j) v(i, j) = old(rows[i], columns[j]);
    }
  }

 private:
  void add(const Matrix& g) {
    left = sum(shampoo_beta, left, 1.0 - shampoo_beta, g * transposed(g));
    right = sum(shampoo_beta, right, 1.0 - shampoo_beta, transposed(g) * g);
  }
  /// One power iteration; returns the old place of each direction, which are sorted by their eigenvalues first.
  static std::vector<std::size_t> renew(Matrix& basis, const Matrix& sums) {
    const Matrix values = transposed(basis) * sums * basis;
    std::vector<std::size_t> order(basis.columns);
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::stable_sort(order, [&](std::size_t i, std::size_t j) { return values(i, i) > values(j, j); });
    Matrix sorted = basis;
    for (std::size_t i = 0; i < basis.rows; ++i) {
      for (std::size_t j = 0; j < basis.columns; ++j) sorted(i, j) = basis(i, order[j]);
    }
    basis = orthonormal(sums * sorted);
    return order;
  }
};

/// Source: Mishchenko, Defazio, "Prodigy" (2024), algorithm 4, with the authors' code's growth and bias correction.
struct ProdigyReference {
  double d0, weight_decay = 0.0, d_coef = 1.0, growth = INFINITY;
  bool bias_correction = false, safeguard_warmup = false;
  double d = d0, largest = d0, numerator = 0.0;
  int t = 0;
  std::vector<double> first{}, m{}, v{}, s{};

  /// All parameters in one vector, as the estimate is one for all.
  void step(std::vector<double>& p, const std::vector<double>& g) {
    if (t++ == 0) {
      first = p;
      m = v = s = std::vector<double>(p.size());
    }
    const double beta1 = 0.9, beta2 = 0.999, beta3 = std::sqrt(beta2);
    const double rate = d * (bias_correction ? std::sqrt(1.0 - std::pow(beta2, t)) / (1.0 - std::pow(beta1, t)) : 1.0);
    double moved = 0.0, length = 0.0;
    for (std::size_t i = 0; i < p.size(); ++i) {
      moved += g[i] * (first[i] - p[i]);
      m[i] = beta1 * m[i] + d * (1.0 - beta1) * g[i];
      v[i] = beta2 * v[i] + d * d * (1.0 - beta2) * g[i] * g[i];
      s[i] = beta3 * s[i] + d / d0 * (safeguard_warmup ? d : rate) * g[i];
      length += std::abs(s[i]);
    }
    numerator = beta3 * numerator + d / d0 * rate * moved;
    const double estimate = d_coef * numerator / length;
    if (d == d0) d = std::max(d, estimate);
    largest = std::max(largest, estimate);
    d = std::min(largest, d * growth);
    for (std::size_t i = 0; i < p.size(); ++i) {
      p[i] -= rate * weight_decay * p[i];
      p[i] -= rate * m[i] / (std::sqrt(v[i]) + d * 1e-8);
    }
  }
};

/// Source: Nocedal, Wright, "Numerical optimization" (2006), algorithms 7.4 and 3.5, with Schmidt's safeguards of the
/// interpolation (minFunc, 2005): a line search between 1.01 and 10 times the step, then 10% inside of the bracket.
struct LbfgsReference {
  using Function = std::function<double(const std::vector<double>&, std::vector<double>& gradient)>;
  Function f;
  std::size_t history = 10;
  std::deque<std::pair<std::vector<double>, std::vector<double>>> pairs{};  // steps and changes of the gradient

  /// One line search from x.
  void step(std::vector<double>& x) {
    std::vector<double> g;
    const double f0 = f(x, g);
    std::vector<double> way = g;
    std::vector<double> alpha;
    for (auto pair = pairs.rbegin(); pair != pairs.rend(); ++pair) {
      alpha.push_back(dot(pair->first, way) / dot(pair->first, pair->second));
      add(way, -alpha.back(), pair->second);
    }
    if (!pairs.empty()) {
      const auto& [s, y] = pairs.back();
      const double scale = dot(s, y) / dot(y, y);
      for (double& value : way) value *= scale;
    }
    for (const auto& [s, y] : pairs) {
      add(way, alpha.back() - dot(y, way) / dot(s, y), s);
      alpha.pop_back();
    }
    for (double& value : way) value = -value;
    double size = 0.0;
    for (const double value : g) size += std::abs(value);
    const double t = search(x, way, f0, dot(g, way), pairs.empty() ? std::min(1.0, 1.0 / size) : 1.0);
    std::vector<double> s(x.size()), y;
    add(s, t, way);
    add(x, t, way);
    f(x, y);
    add(y, -1.0, g);
    if (dot(s, y) > 1e-10) pairs.emplace_back(s, y);
    if (pairs.size() > history) pairs.pop_front();
  }

 private:
  struct Point {
    double t, f, slope;
  };

  static void add(std::vector<double>& to, double factor, const std::vector<double>& x) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * x[i];
  }
  /// The minimum of the cubic through two points, within bounds.
  static double cubic(Point a, Point b, double low, double high) {
    if (a.t > b.t) std::swap(a, b);
    const double d1 = a.slope + b.slope - 3.0 * (a.f - b.f) / (a.t - b.t), square = d1 * d1 - a.slope * b.slope;
    if (square < 0.0) return 0.5 * (low + high);
    const double d2 = std::sqrt(square);
    return std::clamp(b.t - (b.t - a.t) * (b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2), low, high);
  }
  double search(const std::vector<double>& x, const std::vector<double>& way, double f0, double slope, double t) const {
    const auto at = [&](double where) {
      std::vector<double> point = x, g;
      add(point, where, way);
      const double value = f(point, g);
      return Point{where, value, dot(g, way)};
    };
    const auto falls = [&](const Point& p) { return p.f <= f0 + 1e-4 * p.t * slope; };
    const auto flat = [&](const Point& p) { return std::abs(p.slope) <= -0.9 * slope; };
    Point before{0.0, f0, slope}, now = at(t);
    for (int i = 0; falls(now) && (i == 0 || now.f < before.f) && !flat(now) && now.slope < 0.0; ++i) {
      const double next = cubic(before, now, now.t + 0.01 * (now.t - before.t), 10.0 * now.t);
      before = std::exchange(now, at(next));
    }
    if (falls(now) && flat(now)) return now.t;
    Point low = before.f <= now.f ? before : now, high = before.f <= now.f ? now : before;
    bool slow = false;
    for (int i = 0; i < 25; ++i) {
      const double left = std::min(low.t, high.t), right = std::max(low.t, high.t), margin = 0.1 * (right - left);
      double next = cubic(low, high, left, right);
      // Twice near an end, or at one: a tenth of the bracket away from it.
      if (std::min(right - next, next - left) < margin) {
        if (slow || next >= right || next <= left) {
          next = right - next < next - left ? right - margin : left + margin;
          slow = false;
        } else {
          slow = true;
        }
      } else {
        slow = false;
      }
      const Point point = at(next);
      if (!falls(point) || point.f >= low.f) {
        high = point;
        continue;
      }
      if (flat(point)) return point.t;
      if (point.slope * (high.t - low.t) >= 0.0) high = low;
      low = point;
    }
    return low.t;
  }
};

}  // namespace temper_test
