#pragma once

#include <cmath>
#include <functional>

#include "tests/reference/array.hpp"
#include "tests/reference/var.hpp"

namespace temper::reference {

using std::erf;
using std::exp;
using std::log;
using std::pow;
using std::sqrt;
using std::tanh;

/// A reference that applies f(x, attributes) to each element.
template <class F>
auto elementwise(F f) {
  return [f]<class T>(const Arrays<T>& x, const Attributes& a) {
    Array<T> y(x[0].shape);
    for (std::int64_t i = 0; i < y.numel(); ++i) y[i] = f(x[0][i], a);
    return Arrays<T>{y};
  };
}

inline Sizes broadcast(const Sizes& a, const Sizes& b) {
  Sizes result(std::max(a.size(), b.size()), 1);
  for (const Sizes& shape : {a, b}) {
    const std::size_t skipped = result.size() - shape.size();
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] != 1) result[axis + skipped] = shape[axis];
    }
  }
  return result;
}

/// A reference that applies f(a, b) to each pair of elements, broadcast.
template <class F>
auto broadcast_elementwise(F f) {
  return [f]<class T>(const Arrays<T>& x, const Attributes&) {
    Array<T> y(broadcast(x[0].shape, x[1].shape));
    for_each_index(y.shape, [&](const Sizes& index) { y.at(index) = f(x[0].at(index), x[1].at(index)); });
    return Arrays<T>{y};
  };
}

inline const auto add = broadcast_elementwise([](const auto& a, const auto& b) { return a + b; });
inline const auto sub = broadcast_elementwise([](const auto& a, const auto& b) { return a - b; });
inline const auto mul = broadcast_elementwise([](const auto& a, const auto& b) { return a * b; });
inline const auto div = broadcast_elementwise([](const auto& a, const auto& b) { return a / b; });

/// Equal operands get half of the gradient each.
inline const auto maximum = broadcast_elementwise([](const auto& a, const auto& b) {
  using T = std::decay_t<decltype(a)>;
  if (value_of(a) == value_of(b)) return T(0.5) * a + T(0.5) * b;
  return value_of(a) > value_of(b) ? T(a) : T(b);
});
inline const auto minimum = broadcast_elementwise([](const auto& a, const auto& b) {
  using T = std::decay_t<decltype(a)>;
  if (value_of(a) == value_of(b)) return T(0.5) * a + T(0.5) * b;
  return value_of(a) < value_of(b) ? T(a) : T(b);
});

inline const auto power = []<class T>(const Arrays<T>& x, const Attributes& a) {
  if (a.contains("exponent")) {
    return elementwise([](const T& base, const Attributes& b) { return pow(base, b["exponent"].get<double>()); })(x, a);
  }
  return broadcast_elementwise([](const T& base, const T& exponent) { return exp(exponent * log(base)); })(x, a);
};

inline const auto where = []<class T>(const Arrays<T>& x, const Attributes&) {
  Array<T> y(broadcast(x[0].shape, broadcast(x[1].shape, x[2].shape)));
  for_each_index(y.shape, [&](const Sizes& index) {
    y.at(index) = value_of(x[0].at(index)) != 0 ? x[1].at(index) : x[2].at(index);
  });
  return Arrays<T>{y};
};

/// A reference that compares each pair of elements, broadcast: 1 or 0.
template <class Compare>
auto comparison(Compare compare) {
  return broadcast_elementwise([compare](const auto& a, const auto& b) {
    return std::decay_t<decltype(a)>(compare(value_of(a), value_of(b)) ? 1.0 : 0.0);
  });
}
inline const auto equal = comparison(std::equal_to<>());
inline const auto not_equal = comparison(std::not_equal_to<>());
inline const auto less = comparison(std::less<>());
inline const auto less_equal = comparison(std::less_equal<>());
inline const auto greater = comparison(std::greater<>());
inline const auto greater_equal = comparison(std::greater_equal<>());

inline const auto neg = elementwise([](const auto& x, const Attributes&) { return -x; });
inline const auto exponential = elementwise([](const auto& x, const Attributes&) { return exp(x); });
inline const auto logarithm = elementwise([](const auto& x, const Attributes&) { return log(x); });
inline const auto square_root = elementwise([](const auto& x, const Attributes&) { return sqrt(x); });
/// The slope at 0 is 0.
inline const auto absolute = elementwise([](const auto& x, const Attributes&) {
  using T = std::decay_t<decltype(x)>;
  return value_of(x) > 0 ? T(x) : value_of(x) < 0 ? T(-x) : T(0);
});
/// The derivative at both bounds is 1.
inline const auto clamp = elementwise([](const auto& x, const Attributes& a) {
  using T = std::decay_t<decltype(x)>;
  if (a.contains("min") && value_of(x) < a["min"].get<double>()) return T(a["min"].get<double>());
  if (a.contains("max") && value_of(x) > a["max"].get<double>()) return T(a["max"].get<double>());
  return T(x);
});

/// The slope at 0 is 0.
inline const auto relu = elementwise([](const auto& x, const Attributes&) {
  using T = std::decay_t<decltype(x)>;
  return value_of(x) > 0 ? T(x) : T(0);
});
/// The derivative at 0 is that of the negative side.
inline const auto leaky_relu = elementwise([](const auto& x, const Attributes& a) {
  using T = std::decay_t<decltype(x)>;
  return value_of(x) > 0 ? T(x) : T(a["slope"].get<double>()) * x;
});
/// x * Phi(x). Source: Hendrycks, Gimpel, "Gaussian error linear units" (2016), as the next.
inline const auto gelu = elementwise([](const auto& x, const Attributes&) {
  using T = std::decay_t<decltype(x)>;
  return T(0.5) * x * (T(1) + erf(x * T(std::sqrt(0.5))));
});
inline const auto gelu_tanh = elementwise([](const auto& x, const Attributes&) {
  using T = std::decay_t<decltype(x)>;
  return T(0.5) * x * (T(1) + tanh(T(std::sqrt(2 / M_PI)) * (x + T(0.044715) * x * x * x)));
});

/// Uses exp of a negative number only, so that nothing overflows.
template <class T>
T softplus_of(const T& x) {
  return value_of(x) > 0 ? x + log(T(1) + exp(-x)) : log(T(1) + exp(x));
}
inline const auto silu = elementwise([](const auto& x, const Attributes&) { return x * sigmoid(x); });
inline const auto logistic = elementwise([](const auto& x, const Attributes&) { return sigmoid(x); });
inline const auto hyperbolic_tangent = elementwise([](const auto& x, const Attributes&) { return tanh(x); });
inline const auto softplus = elementwise([](const auto& x, const Attributes&) { return softplus_of(x); });

/// Dropout with a rate of 0.
inline const auto identity = elementwise([](const auto& x, const Attributes&) { return x; });

}  // namespace temper::reference
