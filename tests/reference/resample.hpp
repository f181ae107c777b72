#pragma once

// Resizing of images [N, H, W, C].

#include <cmath>

#include "tests/reference/array.hpp"
#include "tests/reference/var.hpp"

namespace temper::reference {

/// The input indices of output i along an axis, with their weights.
inline std::vector<std::pair<std::int64_t, double>> taps_of(std::int64_t i, std::int64_t in, std::int64_t out,
                                                            const Attributes& a) {
  const std::string mode = a["mode"];
  const auto inside = [&](std::int64_t place) { return std::min(std::max<std::int64_t>(place, 0), in - 1); };
  if (mode == "nearest") return {{i * in / out, 1.0}};
  const double size = static_cast<double>(in), result = static_cast<double>(out), number = static_cast<double>(i);
  double at = (number + 0.5) * size / result - 0.5;
  if (a.value("align_corners", false)) at = out == 1 ? 0.0 : number * (size - 1) / (result - 1);
  if (mode == "bilinear") at = std::max(at, 0.0);
  const auto below = static_cast<std::int64_t>(std::floor(at));
  const double past = at - std::floor(at);
  if (mode == "bilinear") return {{inside(below), 1 - past}, {inside(below + 1), past}};
  // Source: Keys, "Cubic convolution interpolation for digital image processing" (1981), equation 4.
  const auto near = [](double t) { return 1.25 * t * t * t - 2.25 * t * t + 1; };
  const auto far = [](double t) { return -0.75 * (t * t * t - 5 * t * t + 8 * t - 4); };
  return {{inside(below - 1), far(past + 1)},
          {inside(below), near(past)},
          {inside(below + 1), near(1 - past)},
          {inside(below + 2), far(2 - past)}};
}

inline const auto interpolate = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::int64_t height = a["output"][0], width = a["output"][1];
  Array<T> y({x[0].size(0), height, width, x[0].size(3)});
  for_each_index(y.shape, [&](const Sizes& at) {
    T sum = 0;
    for (const auto& [row, row_weight] : taps_of(at[1], x[0].size(1), height, a)) {
      for (const auto& [column, column_weight] : taps_of(at[2], x[0].size(2), width, a)) {
        sum += T(row_weight * column_weight) * x[0](at[0], row, column, at[3]);
      }
    }
    y.at(at) = sum;
  });
  return Arrays<T>{y};
};

inline const auto pixel_shuffle = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::int64_t r = a["factor"];
  Array<T> y({x[0].size(0), x[0].size(1) * r, x[0].size(2) * r, x[0].size(3) / r / r});
  for_each_index(y.shape, [&](const Sizes& at) {
    y.at(at) = x[0](at[0], at[1] / r, at[2] / r, at[3] * r * r + at[1] % r * r + at[2] % r);
  });
  return Arrays<T>{y};
};
inline const auto pixel_unshuffle = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::int64_t r = a["factor"];
  Array<T> y({x[0].size(0), x[0].size(1) / r, x[0].size(2) / r, x[0].size(3) * r * r});
  for_each_index(y.shape, [&](const Sizes& at) {
    const std::int64_t in_square = at[3] % (r * r);
    y.at(at) = x[0](at[0], at[1] * r + in_square / r, at[2] * r + in_square % r, at[3] / (r * r));
  });
  return Arrays<T>{y};
};

}  // namespace temper::reference
