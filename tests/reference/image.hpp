#pragma once

// Images are [N, H, W, C].

#include "tests/reference/array.hpp"
#include "tests/reference/var.hpp"

namespace temper::reference {

/// x [N, H, W, I], w [O, I / groups, kh, kw], b [O]
inline const auto conv2d = []<class T>(const Arrays<T>& inputs, const Attributes& a) {
  const Array<T>&x = inputs[0], &w = inputs[1];
  const auto stride = pair_of(a.value("stride", Attributes(1)));
  const auto padding = pair_of(a.value("padding", Attributes(0)));
  const auto dilation = pair_of(a.value("dilation", Attributes(1)));
  const std::int64_t out_per_group = w.size(0) / a.value("groups", 1), in_per_group = w.size(1);
  const std::int64_t height = (x.size(1) + 2 * padding[0] - dilation[0] * (w.size(2) - 1) - 1) / stride[0] + 1;
  const std::int64_t width = (x.size(2) + 2 * padding[1] - dilation[1] * (w.size(3) - 1) - 1) / stride[1] + 1;
  Array<T> y({x.size(0), height, width, w.size(0)});
  for_each_index(y.shape, [&](const Sizes& index) {
    const std::int64_t n = index[0], o = index[3];
    T sum = inputs.size() > 2 ? inputs[2](o) : T(0);
    for (std::int64_t ky = 0; ky < w.size(2); ++ky) {
      for (std::int64_t kx = 0; kx < w.size(3); ++kx) {
        const std::int64_t row = index[1] * stride[0] - padding[0] + ky * dilation[0];
        const std::int64_t column = index[2] * stride[1] - padding[1] + kx * dilation[1];
        if (row < 0 || row >= x.size(1) || column < 0 || column >= x.size(2)) continue;
        for (std::int64_t i = 0; i < in_per_group; ++i) {
          sum += x(n, row, column, o / out_per_group * in_per_group + i) * w(o, i, ky, kx);
        }
      }
    }
    y.at(index) = sum;
  });
  return Arrays<T>{y};
};

/// One output per window: summary() of the window's elements, row by row, without those in the padding.
template <class T, class Summary>
Arrays<T> pooled(const Array<T>& x, const Attributes& a, Summary summary) {
  const auto kernel = pair_of(a["kernel"]);
  const auto stride = pair_of(a.value("stride", a["kernel"]));
  const auto padding = pair_of(a.value("padding", Attributes(0)));
  Array<T> y({x.size(0), (x.size(1) + 2 * padding[0] - kernel[0]) / stride[0] + 1,
              (x.size(2) + 2 * padding[1] - kernel[1]) / stride[1] + 1, x.size(3)});
  for_each_index(y.shape, [&](const Sizes& index) {
    std::vector<T> window;
    for (std::int64_t ky = 0; ky < kernel[0]; ++ky) {
      for (std::int64_t kx = 0; kx < kernel[1]; ++kx) {
        const std::int64_t row = index[1] * stride[0] - padding[0] + ky;
        const std::int64_t column = index[2] * stride[1] - padding[1] + kx;
        if (row < 0 || row >= x.size(1) || column < 0 || column >= x.size(2)) continue;
        window.push_back(x(index[0], row, column, index[3]));
      }
    }
    y.at(index) = summary(window);
  });
  return {y};
}

/// The first of equal elements gets the gradient.
inline const auto max_pool2d = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return pooled(x[0], a, [](const std::vector<T>& window) {
    T largest = window.front();
    for (const T& value : window) largest = value_of(value) > value_of(largest) ? value : largest;
    return largest;
  });
};

/// Padding counts as zeros, unless "count_include_pad" is false.
inline const auto avg_pool2d = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const auto [height, width] = pair_of(a["kernel"]);
  const bool whole = a.value("count_include_pad", true);
  const auto size = static_cast<double>(height * width);
  return pooled(x[0], a, [=](const std::vector<T>& window) {
    T sum = 0;
    for (const T& value : window) sum += value;
    return sum * T(1 / (whole ? size : static_cast<double>(window.size())));
  });
};

/// Output cell i averages rows floor(i H / h) to ceil((i + 1) H / h).
inline const auto adaptive_avg_pool2d = []<class T>(const Arrays<T>& inputs, const Attributes& a) {
  const Array<T>& x = inputs[0];
  const std::int64_t height = a["output"][0], width = a["output"][1];
  const auto begin = [](std::int64_t i, std::int64_t in, std::int64_t out) { return i * in / out; };
  const auto end = [](std::int64_t i, std::int64_t in, std::int64_t out) { return ((i + 1) * in + out - 1) / out; };
  Array<T> y({x.size(0), height, width, x.size(3)});
  for_each_index(y.shape, [&](const Sizes& index) {
    const std::int64_t top = begin(index[1], x.size(1), height), bottom = end(index[1], x.size(1), height);
    const std::int64_t left = begin(index[2], x.size(2), width), right = end(index[2], x.size(2), width);
    for (std::int64_t row = top; row < bottom; ++row) {
      for (std::int64_t column = left; column < right; ++column) y.at(index) += x(index[0], row, column, index[3]);
    }
    y.at(index) = y.at(index) * T(1.0 / static_cast<double>((bottom - top) * (right - left)));
  });
  return Arrays<T>{y};
};

/// [N, H, W, C] -> [N, C]
inline const auto global_avg_pool2d = []<class T>(const Arrays<T>& inputs, const Attributes&) {
  const Array<T>& x = inputs[0];
  Array<T> y({x.size(0), x.size(3)});
  for_each_index(x.shape, [&](const Sizes& index) { y(index[0], index[3]) += x.at(index); });
  for (T& value : y.values) value = value * T(1.0 / static_cast<double>(x.size(1) * x.size(2)));
  return Arrays<T>{y};
};

/// [N, H, W, C] -> [N, C * H * W], in the order of its name.
inline const auto flatten_chw = []<class T>(const Arrays<T>& inputs, const Attributes&) {
  const Array<T>& x = inputs[0];
  const std::int64_t height = x.size(1), width = x.size(2);
  Array<T> y({x.size(0), x.size(3) * height * width});
  for_each_index(x.shape, [&](const Sizes& index) {
    y(index[0], (index[3] * height + index[1]) * width + index[2]) = x.at(index);
  });
  return Arrays<T>{y};
};

}  // namespace temper::reference
