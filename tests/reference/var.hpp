#pragma once

// A reverse-mode tape on scalars: a reference that is a template on its scalar type gives, with Var, its gradient too.
//
// Each number has a measure of its rounding error: the sum of the absolute terms it was computed from. The error of a
// float result is a few units in the last place of that sum, not of the result, which may be a small difference of
// large terms. `error` is that sum; it is 0 for exact inputs and constants. To first order
//   a + b:  |a| + |b|, each replaced by its own sum when that is larger
//   a * b:  the largest of |a b|, error(a) |b|, |a| error(b)
//   f(x):   the larger of |f(x)|, |f'(x)| error(x)
// and likewise for the gradient: adjoints are propagated a second time with absolute values.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace temper::reference {

/// Uses exp of a negative number only, so that nothing overflows.
inline double sigmoid(double x) { return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x)); }

class Var {
 public:
  Var(double constant = 0) : value_(constant) {}
  /// A number whose gradient is wanted.
  static Var input(double value) {
    Var x(value);
    x.node_ = push({-1, -1, 0, 0, 0, 0});
    return x;
  }

  double value() const { return value_; }
  double error() const { return error_; }
  /// The sum of the absolute terms: never below the number itself.
  double terms() const { return std::max(std::abs(value_), error_); }
  std::int32_t node() const { return node_; }

  friend Var operator+(const Var& a, const Var& b) {
    return binary(a, b, a.value_ + b.value_, a.terms() + b.terms(), 1, 1, 1, 1);
  }
  friend Var operator*(const Var& a, const Var& b) {
    const double value = a.value_ * b.value_;
    const double error = std::max({std::abs(value), a.error_ * std::abs(b.value_), std::abs(a.value_) * b.error_});
    return binary(a, b, value, error, b.value_, a.value_, b.terms(), a.terms());
  }
  /// One rounding, if x is exact.
  friend Var operator-(const Var& x, double c) {
    const double value = x.value_ - c;
    return binary(x, Var(), value, x.error_ == 0 ? std::abs(value) : x.error_ + std::abs(c), 1, 0, 1, 0);
  }
  friend Var operator-(const Var& x) { return unary(x, -x.value_, -1, 0); }
  friend Var operator-(const Var& a, const Var& b) { return a + -b; }
  friend Var operator/(const Var& a, const Var& b) { return a * inverse(b); }
  Var& operator+=(const Var& other) { return *this = *this + other; }

  friend Var inverse(const Var& x) {
    const double y = 1 / x.value_;
    return unary(x, y, -y * y, 2 * y * y * y);
  }
  friend Var exp(const Var& x) {
    const double y = std::exp(x.value_);
    return unary(x, y, y, y);
  }
  friend Var log(const Var& x) { return unary(x, std::log(x.value_), 1 / x.value_, -1 / (x.value_ * x.value_)); }
  friend Var sqrt(const Var& x) {
    const double y = std::sqrt(x.value_);
    return unary(x, y, 0.5 / y, -0.25 / (y * x.value_));
  }
  /// The derivatives of these two are differences of terms up to 1.
  friend Var tanh(const Var& x) {
    const double y = std::tanh(x.value_), slope = 1 - y * y;
    return unary(x, y, slope, -2 * y * slope, 1 + y * y);
  }
  friend Var sigmoid(const Var& x) {
    const double y = sigmoid(x.value_), slope = y * sigmoid(-x.value_);
    return unary(x, y, slope, slope * (1 - 2 * y), y + y * y);
  }
  friend Var erf(const Var& x) {
    const double slope = 2 / std::sqrt(M_PI) * std::exp(-x.value_ * x.value_);
    return unary(x, std::erf(x.value_), slope, -2 * x.value_ * slope);
  }
  friend Var sin(const Var& x) { return unary(x, std::sin(x.value_), std::cos(x.value_), -std::sin(x.value_)); }
  friend Var cos(const Var& x) { return unary(x, std::cos(x.value_), -std::sin(x.value_), -std::cos(x.value_)); }
  friend Var tan(const Var& x) {
    const double y = std::tan(x.value_), slope = 1 + y * y;
    return unary(x, y, slope, 2 * y * slope);
  }
  /// The derivatives of the next two contain the difference 1 - x^2.
  friend Var asin(const Var& x) { return inverse_sine(x, std::asin(x.value_), 1); }
  friend Var acos(const Var& x) { return inverse_sine(x, std::acos(x.value_), -1); }
  friend Var atan(const Var& x) {
    const double slope = 1 / (1 + x.value_ * x.value_);
    return unary(x, std::atan(x.value_), slope, -2 * x.value_ * slope * slope);
  }
  friend Var sinh(const Var& x) { return unary(x, std::sinh(x.value_), std::cosh(x.value_), std::sinh(x.value_)); }
  friend Var cosh(const Var& x) { return unary(x, std::cosh(x.value_), std::sinh(x.value_), std::cosh(x.value_)); }
  friend Var asinh(const Var& x) {
    const double slope = 1 / std::sqrt(x.value_ * x.value_ + 1);
    return unary(x, std::asinh(x.value_), slope, -x.value_ * slope * slope * slope);
  }
  friend Var acosh(const Var& x) {
    const double slope = 1 / std::sqrt(x.value_ * x.value_ - 1);
    return unary(x, std::acosh(x.value_), slope, -x.value_ * slope * slope * slope);
  }
  friend Var atanh(const Var& x) {
    const double slope = 1 / (1 - x.value_ * x.value_);
    return unary(x, std::atanh(x.value_), slope, 2 * x.value_ * slope * slope);
  }
  friend Var expm1(const Var& x) {
    const double y = std::exp(x.value_);
    return unary(x, std::expm1(x.value_), y, y);
  }
  friend Var log1p(const Var& x) {
    const double slope = 1 / (1 + x.value_);
    return unary(x, std::log1p(x.value_), slope, -slope * slope);
  }
  friend Var pow(const Var& x, double p) {
    const auto term = [&](double factor, double exponent) {
      return factor == 0 ? 0.0 : factor * std::pow(x.value_, exponent);
    };
    return unary(x, std::pow(x.value_, p), term(p, p - 1), term(p * (p - 1), p - 2));
  }

  /// The results of backward for each node: the adjoint, and the sum of its absolute terms.
  struct Adjoints {
    std::vector<double> value, terms;
  };
  /// The gradient of the sum of outputs[i] * weights[i].
  static Adjoints backward(const std::vector<Var>& outputs, const std::vector<double>& weights) {
    Adjoints adjoints{std::vector<double>(nodes().size()), std::vector<double>(nodes().size())};
    const auto add = [&](std::int32_t node, double value, double terms) {
      if (node < 0) return;
      adjoints.value[static_cast<std::size_t>(node)] += value;
      adjoints.terms[static_cast<std::size_t>(node)] += terms;
    };
    for (std::size_t i = 0; i < outputs.size(); ++i) add(outputs[i].node_, weights[i], std::abs(weights[i]));
    for (std::size_t i = nodes().size(); i-- > 0;) {
      const Node& node = nodes()[i];
      add(node.a, adjoints.value[i] * node.slope_a, adjoints.terms[i] * node.terms_a);
      add(node.b, adjoints.value[i] * node.slope_b, adjoints.terms[i] * node.terms_b);
    }
    return adjoints;
  }

  /// Clears the tape.
  static void clear() { nodes().clear(); }

 private:
  struct Node {
    std::int32_t a, b;  // the operands' nodes, -1 for constants
    double slope_a, slope_b, terms_a, terms_b;
  };

  static std::vector<Node>& nodes() {
    thread_local std::vector<Node> recorded;
    return recorded;
  }
  static std::int32_t push(const Node& node) {
    nodes().push_back(node);
    return static_cast<std::int32_t>(nodes().size() - 1);
  }
  static Var binary(const Var& a, const Var& b, double value, double error, double slope_a, double slope_b,
                    double terms_a, double terms_b) {
    Var y(value);
    y.error_ = error;
    if (a.node_ >= 0 || b.node_ >= 0) y.node_ = push({a.node_, b.node_, slope_a, slope_b, terms_a, terms_b});
    return y;
  }
  static Var inverse_sine(const Var& x, double value, double sign) {
    const double slope = sign / std::sqrt(1 - x.value_ * x.value_);
    return unary(x, value, slope, x.value_ * slope * slope * slope);
  }
  static Var unary(const Var& x, double value, double slope, double curvature, double slope_terms = 0) {
    const double error = std::max(std::abs(value), std::abs(slope) * x.error_);
    const double terms = std::max({std::abs(slope), slope_terms, std::abs(curvature) * x.error_});
    return binary(x, Var(), value, error, slope, 0, terms, 0);
  }

  double value_;
  double error_ = 0;
  std::int32_t node_ = -1;
};

inline double value_of(double x) { return x; }
inline double value_of(const Var& x) { return x.value(); }

}  // namespace temper::reference
