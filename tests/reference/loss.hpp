#pragma once

#include "tests/reference/array.hpp"
#include "tests/reference/elementwise.hpp"

namespace temper::reference {

/// Calls body(read, write) for each line of x along an axis; read(i) and write(i) are its elements and those of y.
template <class T, class Body>
Arrays<T> along(const Array<T>& x, std::int64_t axis, Body body) {
  const std::size_t along_axis = axis_of(axis, x.shape.size());
  Array<T> y(x.shape);
  Sizes starts = x.shape;
  if (starts[along_axis] > 0) starts[along_axis] = 1;
  for_each_index(starts, [&](const Sizes& start) {
    std::vector<T> line;
    Sizes index = start;
    std::int64_t& i = index[along_axis];
    for (i = 0; i < x.shape[along_axis]; ++i) line.push_back(x.at(index));
    line = body(line);
    for (i = 0; i < x.shape[along_axis]; ++i) y.at(index) = line[static_cast<std::size_t>(i)];
  });
  return {y};
}

/// Log-softmax. The maximum is subtracted first, so that nothing overflows. It is a constant of the gradient, as the
/// result does not depend on it.
template <class T>
std::vector<T> log_softmax_of(std::vector<T> x) {
  double largest = value_of(x[0]);
  for (const T& value : x) largest = std::max(largest, value_of(value));
  T sum = 0;
  for (T& value : x) {
    value = value - largest;
    sum += exp(value);
  }
  const T log_sum = log(sum);
  for (T& value : x) value = value - log_sum;
  return x;
}

template <class T>
std::vector<T> softmax_of(std::vector<T> x) {
  double largest = value_of(x[0]);
  for (const T& value : x) largest = std::max(largest, value_of(value));
  T sum = 0;
  for (T& value : x) sum += value = exp(value - largest);
  for (T& value : x) value = value / sum;
  return x;
}

inline const auto softmax = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return along(x[0], a["axis"], softmax_of<T>);
};
inline const auto log_softmax = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return along(x[0], a["axis"], log_softmax_of<T>);
};

/// Reduces single losses by "reduction": "mean", the default, divides their sum by `count`; "sum"; or "none".
template <class T>
Arrays<T> reduced(const Array<T>& losses, const Attributes& a, std::int64_t count) {
  const std::string how = a.value("reduction", "mean");
  if (how == "none") return {losses};
  Array<T> y;
  for (const T& loss : losses.values) y[0] += loss;
  if (how == "mean") y[0] = y[0] * T(1.0 / static_cast<double>(count));
  return {y};
}

/// Logits [..., C], labels [...]. The loss of a row is -sum_c target_c log p_c; the target is the label, smoothed:
/// (1 - s) at the label plus s / C everywhere. Ignored rows have no loss and do not count in the mean.
inline const auto cross_entropy = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const double smoothing = a.value("label_smoothing", 0.0), ignored = a.value("ignore_index", -100);
  const std::int64_t rows = x[1].numel(), classes = x[0].size(-1);
  Array<T> losses(x[1].shape);
  std::int64_t counted = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    const double label = value_of(x[1][row]);
    if (label == ignored) continue;
    ++counted;
    const std::vector<T> logarithms =
        log_softmax_of(std::vector<T>(x[0].values.begin() + row * classes, x[0].values.begin() + (row + 1) * classes));
    for (std::int64_t c = 0; c < classes; ++c) {
      const double target =
          (static_cast<double>(c) == label ? 1 - smoothing : 0) + smoothing / static_cast<double>(classes);
      if (target != 0) losses[row] += T(-target) * logarithms[static_cast<std::size_t>(c)];
    }
  }
  return reduced(losses, a, counted);
};

/// The same with class weights, and with probabilities as labels. Inputs: x, labels and optionally weights.
inline const auto weighted_cross_entropy = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const double smoothing = a.value("label_smoothing", 0.0);
  const std::int64_t classes = x[0].size(-1), rows = x[0].numel() / classes;
  const bool soft = x[1].shape == x[0].shape;
  Sizes shape = x[0].shape;
  shape.pop_back();
  Array<T> losses(shape);
  double counted = 0;
  const auto weight = [&](std::int64_t c) { return x.size() > 2 ? value_of(x[2](c)) : 1.0; };
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto label = soft ? 0 : static_cast<std::int64_t>(value_of(x[1][row]));
    if (!soft && label == -100) continue;
    counted += soft ? 1.0 : weight(label);
    const std::vector<T> logarithms =
        log_softmax_of(std::vector<T>(x[0].values.begin() + row * classes, x[0].values.begin() + (row + 1) * classes));
    for (std::int64_t c = 0; c < classes; ++c) {
      const T given = soft ? x[1][row * classes + c] : T(c == label ? 1.0 : 0.0);
      const T target = T(weight(c)) * (T(1 - smoothing) * given + T(smoothing / static_cast<double>(classes)));
      losses[row] += -target * logarithms[static_cast<std::size_t>(c)];
    }
  }
  if (a.value("reduction", "mean") != "mean") return reduced(losses, a, rows);
  Arrays<T> sum = reduced(losses, {{"reduction", "sum"}}, rows);
  sum[0][0] = sum[0][0] * T(1 / counted);
  return sum;
};

/// cross_entropy of x [..., D] times the transpose of w [classes, D].
inline const auto linear_cross_entropy = []<class T>(const Arrays<T>& x, const Attributes& a) {
  Sizes shape = x[0].shape;
  shape.back() = x[1].size(0);
  Array<T> logits(shape);
  const std::int64_t width = x[1].size(1), classes = x[1].size(0);
  for (std::int64_t i = 0; i < logits.numel(); ++i) {
    for (std::int64_t d = 0; d < width; ++d) logits[i] += x[0][i / classes * width + d] * x[1](i % classes, d);
  }
  return weighted_cross_entropy(Arrays<T>{logits, x[2]}, a);
};

/// A reference for losses f(x, target, attributes) of single elements.
template <class F>
auto elementwise_loss(F f) {
  return [f]<class T>(const Arrays<T>& x, const Attributes& a) {
    Array<T> losses(x[0].shape);
    for (std::int64_t i = 0; i < losses.numel(); ++i) losses[i] = f(x[0][i], x[1][i], a);
    return reduced(losses, a, losses.numel());
  };
}

inline const auto mse_loss = elementwise_loss([](const auto& x, const auto& target, const Attributes&) {
  const auto difference = x - target;
  return difference * difference;
});
inline const auto l1_loss = elementwise_loss([](const auto& x, const auto& target, const Attributes&) {
  using T = std::decay_t<decltype(x)>;
  const T difference = x - target;
  return value_of(difference) > 0 ? T(difference) : value_of(difference) < 0 ? T(-difference) : T(0);
});
/// d^2 / 2 within delta of 0, delta (|d| - delta / 2) outside. Source: Huber, "Robust estimation of a location
/// parameter" (1964).
inline const auto huber_loss = elementwise_loss([](const auto& x, const auto& target, const Attributes& a) {
  using T = std::decay_t<decltype(x)>;
  const double delta = a.value("delta", 1.0);
  const T difference = x - target;
  if (std::abs(value_of(difference)) <= delta) return T(T(0.5) * difference * difference);
  return T(T(delta) * ((value_of(difference) > 0 ? T(difference) : T(-difference)) - T(delta / 2)));
});
/// The binary cross entropy of a target in [0, 1] under the probability sigmoid(x).
inline const auto bce_with_logits = elementwise_loss([](const auto& x, const auto& target, const Attributes&) {
  using T = std::decay_t<decltype(x)>;
  return target * softplus_of(T(-x)) + (T(1) - target) * softplus_of(x);
});

}  // namespace temper::reference
