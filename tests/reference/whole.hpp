#pragma once

// Whole numbers, truth values, and statistics.

#include <algorithm>
#include <cmath>

#include "tests/reference/functions.hpp"
#include "tests/reference/places.hpp"
#include "tests/reference/reduce.hpp"

namespace temper::reference {

inline const auto integer_maximum =
    broadcast_elementwise([](const auto& a, const auto& b) { return value_of(a) > value_of(b) ? a : b; });
inline const auto integer_minimum =
    broadcast_elementwise([](const auto& a, const auto& b) { return value_of(a) < value_of(b) ? a : b; });
/// An element as a function of its number alone.
template <class F>
auto number_wise(F f) {
  return elementwise([f](const auto& x, const Attributes& a) { return std::decay_t<decltype(x)>(f(value_of(x), a)); });
}
inline const auto integer_clamp = number_wise(
    [](double x, const Attributes& a) { return std::clamp(x, a["min"].get<double>(), a["max"].get<double>()); });
inline const auto integer_affine =
    number_wise([](double x, const Attributes& a) { return a["factor"].get<double>() * x + a["shift"].get<double>(); });
inline const auto logical_not = number_wise([](double x, const Attributes&) { return x == 0 ? 1.0 : 0.0; });
inline const auto cast = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::string to = a["to"];
  Array<T> y = x[0];
  for (T& value : y.values) {
    if (to == "i64") value = T(std::trunc(value_of(value)));
    if (to == "bool") value = T(value_of(value) != 0 ? 1.0 : 0.0);
  }
  return Arrays<T>{y};
};

/// f(a, b) of two truth values.
template <class F>
auto truth(F f) {
  return broadcast_elementwise([f](const auto& a, const auto& b) {
    return std::decay_t<decltype(a)>(f(value_of(a) != 0, value_of(b) != 0) ? 1.0 : 0.0);
  });
}
inline const auto logical_and = truth([](bool a, bool b) { return a && b; });
inline const auto logical_or = truth([](bool a, bool b) { return a || b; });
inline const auto logical_xor = truth([](bool a, bool b) { return a != b; });

template <class F>
auto bits(F f) {
  return broadcast_elementwise([f](const auto& a, const auto& b) {
    using T = std::decay_t<decltype(a)>;
    return T(static_cast<double>(f(static_cast<std::int64_t>(value_of(a)), static_cast<std::int64_t>(value_of(b)))));
  });
}

/// Of truth values, which are 0 and 1, if "truth", else of whole numbers.
inline const auto bitwise_not =
    number_wise([](double x, const Attributes& a) { return a.value("truth", false) ? 1 - x : -1 - x; });

inline const auto count_nonzero = reduction([]<class T>(const std::vector<T>& group) {
  return T(static_cast<double>(std::ranges::count_if(group, [](const T& x) { return value_of(x) != 0; })));
});
inline const auto any = reduction([]<class T>(const std::vector<T>& group) {
  return T(std::ranges::any_of(group, [](const T& x) { return value_of(x) != 0; }) ? 1.0 : 0.0);
});
inline const auto all = reduction([]<class T>(const std::vector<T>& group) {
  return T(std::ranges::all_of(group, [](const T& x) { return value_of(x) != 0; }) ? 1.0 : 0.0);
});

/// The place of the smallest or largest, of equal ones the first or the last.
inline const auto place(bool lowest, bool last) {
  return [=]<class T>(const Arrays<T>& x, const Attributes& a) {
    const bool down = a.value("smallest", lowest);
    return reduction([=]<class U>(const std::vector<U>& group) {
      std::size_t best = 0;
      for (std::size_t i = 1; i < group.size(); ++i) {
        const double value = value_of(group[i]), top = value_of(group[best]);
        if ((down ? value < top : value > top) || (last && value == top)) best = i;
      }
      return U(static_cast<double>(best));
    })(x, Attributes{{"axes", {a["axis"]}}});
  };
}

inline const auto masked_fill = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return arranged<T>(broadcast(x[0].shape, x[1].shape), [&](const Sizes& index) {
    return value_of(x[1].at(index)) != 0 ? T(a["value"].get<double>()) : x[0].at(index);
  });
};

/// a - b * whole(a / b), and whole(a / b) alone.
template <class Whole>
auto rest(Whole whole_of) {
  return broadcast_elementwise([whole_of](const auto& a, const auto& b) {
    using T = std::decay_t<decltype(a)>;
    return T(a - b * T(whole_of(value_of(a) / value_of(b))));
  });
}
template <class Whole>
auto quotient(Whole whole_of) {
  return broadcast_elementwise([whole_of](const auto& a, const auto& b) {
    return std::decay_t<decltype(a)>(whole_of(value_of(a) / value_of(b)));
  });
}
inline double floor_of(double x) { return std::floor(x); }
inline double trunc_of(double x) { return std::trunc(x); }

/// The sum of squared distances from the mean, divided by the count minus "correction".
template <class T>
T variance(const std::vector<T>& group, double correction) {
  T middle = 0, squares = 0;
  for (const T& x : group) middle += x * T(1.0 / static_cast<double>(group.size()));
  for (const T& x : group) squares += (x - middle) * (x - middle);
  return squares * T(1.0 / (static_cast<double>(group.size()) - correction));
}
inline const auto var = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return reduction([&]<class U>(const std::vector<U>& group) { return variance(group, a["correction"]); })(x, a);
};
inline const auto deviation = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return reduction([&]<class U>(const std::vector<U>& group) { return U(sqrt(variance(group, a["correction"]))); })(x,
                                                                                                                    a);
};

inline const auto norm = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const double p = a["p"].is_string() ? HUGE_VAL : a["p"].get<double>();
  return reduction([p]<class U>(const std::vector<U>& group) {
    std::vector<U> sizes;
    double top = 0;
    for (const U& value : group) {
      sizes.push_back(value_of(value) < 0 ? U(-value) : value);
      top = std::max(top, value_of(sizes.back()));
    }
    if (p == HUGE_VAL) return shared(sizes, top);
    if (top == 0) return U(0);
    U total = 0;
    for (const U& size : sizes) total += p == 1 ? size : p == 2 ? U(size * size) : U(pow(size, p));
    return p == 1 ? total : p == 2 ? U(sqrt(total)) : U(pow(total, 1 / p));
  })(x, a);
};

inline const auto logsumexp = reduction([]<class T>(const std::vector<T>& group) { return log_sum_exp(group); });
inline const auto prod = reduction([]<class T>(const std::vector<T>& group) {
  T product = 1;
  for (const T& value : group) product = product * value;
  return product;
});

}  // namespace temper::reference
