#pragma once

// Elementwise functions of one number and of two, and gated linear units.

#include <numbers>

#include "tests/reference/elementwise.hpp"

namespace temper::reference {

using std::acos;
using std::acosh;
using std::asin;
using std::asinh;
using std::atan;
using std::atanh;
using std::cos;
using std::cosh;
using std::expm1;
using std::log1p;
using std::sin;
using std::sinh;
using std::tan;

/// A function of x, as a template.
#define TEMPER_FUNCTION(name, expression)                                                                         \
  inline const auto name = elementwise([]([[maybe_unused]] const auto& x, [[maybe_unused]] const Attributes& a) { \
    using T = std::decay_t<decltype(x)>;                                                                          \
    return T(expression);                                                                                         \
  })

TEMPER_FUNCTION(sine, sin(x));
TEMPER_FUNCTION(cosine, cos(x));
TEMPER_FUNCTION(tangent, tan(x));
TEMPER_FUNCTION(arc_sine, asin(x));
TEMPER_FUNCTION(arc_cosine, acos(x));
TEMPER_FUNCTION(arc_tangent, atan(x));
TEMPER_FUNCTION(hyperbolic_sine, sinh(x));
TEMPER_FUNCTION(hyperbolic_cosine, cosh(x));
TEMPER_FUNCTION(area_sine, asinh(x));
TEMPER_FUNCTION(area_cosine, acosh(x));
TEMPER_FUNCTION(area_tangent, atanh(x));
TEMPER_FUNCTION(error_function, erf(x));
TEMPER_FUNCTION(exponential_minus_1, expm1(x));
TEMPER_FUNCTION(logarithm_of_1_plus, log1p(x));
TEMPER_FUNCTION(inverse_root, T(1) / sqrt(x));
TEMPER_FUNCTION(inverted, T(1) / x);
TEMPER_FUNCTION(squared, x* x);
TEMPER_FUNCTION(sign, value_of(x) > 0 ? 1.0 : value_of(x) < 0 ? -1.0 : 0.0);
TEMPER_FUNCTION(floor, std::floor(value_of(x)));
TEMPER_FUNCTION(ceil, std::ceil(value_of(x)));
TEMPER_FUNCTION(round, std::nearbyint(value_of(x)));
TEMPER_FUNCTION(trunc, std::trunc(value_of(x)));

TEMPER_FUNCTION(mish, x* tanh(softplus_of(x)));
TEMPER_FUNCTION(softsign, value_of(x) >= 0 ? T(x / (T(1) + x)) : T(x / (T(1) - x)));
TEMPER_FUNCTION(hardsigmoid, value_of(x) <= -3 ? T(0) : value_of(x) >= 3 ? T(1) : T((x + T(3)) * T(1.0 / 6)));
TEMPER_FUNCTION(hardswish, value_of(x) <= -3 ? T(0) : value_of(x) >= 3 ? T(x) : T(x * (x + T(3)) * T(1.0 / 6)));
TEMPER_FUNCTION(relu6, value_of(x) <= 0 ? T(0) : value_of(x) >= 6 ? T(6) : T(x));
TEMPER_FUNCTION(logsigmoid, -softplus_of(T(-x)));
TEMPER_FUNCTION(tanhshrink, x - tanh(x));
TEMPER_FUNCTION(selu, T(1.0507009873554805) * (value_of(x) > 0 ? T(x) : T(T(1.6732632423543772) * expm1(x))));
TEMPER_FUNCTION(elu, value_of(x) > 0 ? T(x) : T(T(a["alpha"].get<double>()) * expm1(x)));
TEMPER_FUNCTION(celu,
                value_of(x) > 0 ? T(x) : T(T(a["alpha"].get<double>()) * expm1(x * T(1 / a["alpha"].get<double>()))));
TEMPER_FUNCTION(softshrink, value_of(x) > a["lambd"].get<double>()    ? T(x - a["lambd"].get<double>())
                            : value_of(x) < -a["lambd"].get<double>() ? T(x - -a["lambd"].get<double>())
                                                                      : T(0));
TEMPER_FUNCTION(hardshrink, std::abs(value_of(x)) > a["lambd"].get<double>() ? T(x) : T(0));
TEMPER_FUNCTION(threshold, value_of(x) > a["threshold"].get<double>() ? T(x) : T(a["value"].get<double>()));

#undef TEMPER_FUNCTION

/// max(x, 0) + weight * min(x, 0), with one weight or one per index of the last axis.
inline const auto prelu = []<class T>(const Arrays<T>& x, const Attributes&) {
  Array<T> y(x[0].shape);
  for_each_index(y.shape, [&](const Sizes& index) {
    const T& value = x[0].at(index);
    y.at(index) = value_of(value) > 0 ? value : T(x[1].at(index) * value);
  });
  return Arrays<T>{y};
};

/// f(first half) * second half of the last axis; if `gate_second`, first half * f(second half).
template <class F>
auto gated(F f, bool gate_second = false) {
  return [=]<class T>(const Arrays<T>& x, const Attributes&) {
    Sizes shape = x[0].shape;
    shape.back() /= 2;
    Array<T> y(shape);
    for_each_index(shape, [&](const Sizes& index) {
      Sizes second = index;
      second.back() += shape.back();
      const T &a = x[0].at(index), &b = x[0].at(second);
      y.at(index) = gate_second ? T(a * f(b)) : T(f(a) * b);
    });
    return Arrays<T>{y};
  };
}
inline const auto swiglu = gated([](const auto& x) { return x * sigmoid(x); });
inline const auto geglu = gated([](const auto& x) {
  using T = std::decay_t<decltype(x)>;
  return T(0.5) * x * (T(1) + erf(x * T(std::sqrt(0.5))));
});
inline const auto reglu = gated([](const auto& x) {
  using T = std::decay_t<decltype(x)>;
  return value_of(x) > 0 ? T(x) : T(0);
});
inline const auto glu = gated([](const auto& x) { return sigmoid(x); }, true);

inline const auto atan2 = broadcast_elementwise([](const auto& y, const auto& x) {
  using T = std::decay_t<decltype(y)>;
  const double v = value_of(y), u = value_of(x), half = std::numbers::pi / 2;
  if (std::abs(v) > std::abs(u)) return T(T(v > 0 ? half : -half) - atan(T(x / y)));
  return T(atan(T(y / x)) + T(u > 0 ? 0.0 : v < 0 ? -2 * half : 2 * half));
});

inline const auto logaddexp = broadcast_elementwise([](const auto& a, const auto& b) {
  using T = std::decay_t<decltype(a)>;
  return value_of(a) > value_of(b) ? T(a + log1p(exp(T(b - a)))) : T(b + log1p(exp(T(a - b))));
});

}  // namespace temper::reference
