#pragma once

#include "tests/reference/array.hpp"
#include "tests/reference/elementwise.hpp"

namespace temper::reference {

/// The mean and the biased variance of x(i) for i < count.
template <class T, class Read>
std::pair<T, T> moments(std::int64_t count, Read x) {
  const T factor = T(1.0 / static_cast<double>(count));
  T mean = 0, variance = 0;
  for (std::int64_t i = 0; i < count; ++i) mean += x(i) * factor;
  for (std::int64_t i = 0; i < count; ++i) {
    const T difference = x(i) - mean;
    variance += difference * difference * factor;
  }
  return {mean, variance};
}

/// x [..., C], gain [C], bias [C] or none; C may be several axes. Source: Ba, Kiros, Hinton, "Layer normalization"
/// (2016).
inline const auto layer_norm = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::int64_t c = x[1].numel(), rows = x[0].numel() / c;
  Array<T> y(x[0].shape);
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto [mean, variance] = moments<T>(c, [&](std::int64_t i) { return x[0][row * c + i]; });
    const T scale = T(1) / sqrt(variance + T(a.value("eps", 1e-5)));
    for (std::int64_t i = 0; i < c; ++i) {
      y[row * c + i] = (x[0][row * c + i] - mean) * scale * x[1][i];
      if (x.size() > 2) y[row * c + i] += x[2][i];
    }
  }
  return Arrays<T>{y};
};

/// x + y and its layer_norm.
inline const auto add_layer_norm = []<class T>(const Arrays<T>& x, const Attributes& a) {
  Arrays<T> rest(x.begin() + 1, x.end());
  const Array<T> sum = rest[0] = add(Arrays<T>{x[0], x[1]}, a)[0];
  return Arrays<T>{sum, layer_norm(rest, a)[0]};
};

/// x [..., C], gain [C]; C may be several axes. Source: Zhang, Sennrich, "Root mean square layer normalization" (2019).
inline const auto rms_norm = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::int64_t c = x[1].numel(), rows = x[0].numel() / c;
  Array<T> y(x[0].shape);
  for (std::int64_t row = 0; row < rows; ++row) {
    T square = 0;
    for (std::int64_t i = 0; i < c; ++i) square += x[0][row * c + i] * x[0][row * c + i];
    const T scale = T(1) / sqrt(square * T(1.0 / static_cast<double>(c)) + T(a.value("eps", 1e-5)));
    for (std::int64_t i = 0; i < c; ++i) y[row * c + i] = x[0][row * c + i] * scale * x[1][i];
  }
  return Arrays<T>{y};
};

/// x [N, H, W, C], gain, bias, running mean and variance [C] -> y and the new running statistics, with the unbiased
/// variance. Source: Ioffe, Szegedy, "Batch normalization" (2015).
inline const auto batch_norm = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::int64_t c = x[0].size(-1), rows = x[0].numel() / c;
  const bool training = a.value("training", true);
  const double momentum = a.value("momentum", 0.1);
  Array<T> y(x[0].shape), running_mean = x[3], running_variance = x[4];
  for (std::int64_t i = 0; i < c; ++i) {
    auto [mean, variance] = moments<T>(rows, [&](std::int64_t row) { return x[0][row * c + i]; });
    if (training) {
      const double unbiased = value_of(variance) * static_cast<double>(rows) / static_cast<double>(rows - 1);
      running_mean[i] = T((1 - momentum) * value_of(running_mean[i]) + momentum * value_of(mean));
      running_variance[i] = T((1 - momentum) * value_of(running_variance[i]) + momentum * unbiased);
    } else {
      mean = running_mean[i];
      variance = running_variance[i];
    }
    const T scale = T(1) / sqrt(variance + T(a.value("eps", 1e-5)));
    for (std::int64_t row = 0; row < rows; ++row) {
      y[row * c + i] = (x[0][row * c + i] - mean) * scale * x[1][i] + x[2][i];
    }
  }
  return Arrays<T>{y, running_mean, running_variance};
};

}  // namespace temper::reference
