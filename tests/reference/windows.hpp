#pragma once

// Images taken apart and put together, and more ways to pad and to pool. Images are [N, H, W, C].

#include "tests/reference/image.hpp"
#include "tests/reference/shape.hpp"

namespace temper::reference {

/// Where windows lie along one axis.
struct WindowAxis {
  std::int64_t size, kernel, stride, padding, dilation;

  std::int64_t count(bool ceil_mode = false) const {
    const std::int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1, whole = room / stride + 1;
    return ceil_mode && room % stride != 0 && whole * stride < size + padding ? whole + 1 : whole;
  }
  std::int64_t place(std::int64_t window, std::int64_t tap) const { return window * stride - padding + tap * dilation; }
  bool inside(std::int64_t at) const { return at >= 0 && at < size; }
};

inline std::array<WindowAxis, 2> window_axes(const Attributes& a, std::int64_t h, std::int64_t w) {
  const auto kernel = pair_of(a["kernel"]), stride = pair_of(a.value("stride", Attributes(1)));
  const auto padding = pair_of(a.value("padding", Attributes(0))),
             dilation = pair_of(a.value("dilation", Attributes(1)));
  return {WindowAxis{h, kernel[0], stride[0], padding[0], dilation[0]},
          WindowAxis{w, kernel[1], stride[1], padding[1], dilation[1]}};
}

/// Calls body(window, feature's tap, row, column) for each element of each window that lies inside the image.
template <class Body>
void each_window(const WindowAxis& rows, const WindowAxis& columns, bool ceil_mode, Body body) {
  for (std::int64_t i = 0; i < rows.count(ceil_mode); ++i) {
    for (std::int64_t j = 0; j < columns.count(ceil_mode); ++j) {
      for (std::int64_t tap = 0; tap < rows.kernel * columns.kernel; ++tap) {
        const std::int64_t row = rows.place(i, tap / columns.kernel), column = columns.place(j, tap % columns.kernel);
        if (rows.inside(row) && columns.inside(column)) body(i * columns.count(ceil_mode) + j, tap, row, column);
      }
    }
  }
}

inline const auto unfold = []<class T>(const Arrays<T>& inputs, const Attributes& a) {
  const Array<T>& x = inputs[0];
  const auto [rows, columns] = window_axes(a, x.size(1), x.size(2));
  const std::int64_t taps = rows.kernel * columns.kernel;
  Array<T> y({x.size(0), rows.count() * columns.count(), x.size(3) * taps});
  each_window(rows, columns, false, [&](std::int64_t window, std::int64_t tap, std::int64_t row, std::int64_t column) {
    for (std::int64_t n = 0; n < x.size(0); ++n) {
      for (std::int64_t c = 0; c < x.size(3); ++c) y(n, window, c * taps + tap) = x(n, row, column, c);
    }
  });
  return Arrays<T>{y};
};

inline const auto fold = []<class T>(const Arrays<T>& inputs, const Attributes& a) {
  const Array<T>& x = inputs[0];
  const std::int64_t height = a["output"][0], width = a["output"][1];
  const auto [rows, columns] = window_axes(a, height, width);
  const std::int64_t taps = rows.kernel * columns.kernel;
  Array<T> y({x.size(0), height, width, x.size(2) / taps});
  each_window(rows, columns, false, [&](std::int64_t window, std::int64_t tap, std::int64_t row, std::int64_t column) {
    for (std::int64_t n = 0; n < y.size(0); ++n) {
      for (std::int64_t c = 0; c < y.size(3); ++c) y(n, row, column, c) += x(n, window, c * taps + tap);
    }
  });
  return Arrays<T>{y};
};

/// One output per window: summary(what of it lies in the image, how many of its elements lie in the padded image).
template <class T, class Summary>
Arrays<T> of_windows(const Array<T>& x, const Attributes& a, bool ceil_mode, Summary summary) {
  const std::array<WindowAxis, 2> axes = window_axes(a, x.size(1), x.size(2));
  const WindowAxis &rows = axes[0], &columns = axes[1];
  const std::int64_t across = columns.count(ceil_mode);
  Array<T> y({x.size(0), rows.count(ceil_mode), across, x.size(3)});
  Array<std::vector<T>> windows(y.shape);
  each_window(rows, columns, ceil_mode, [&](std::int64_t window, std::int64_t, std::int64_t row, std::int64_t column) {
    for (std::int64_t n = 0; n < x.size(0); ++n) {
      for (std::int64_t c = 0; c < x.size(3); ++c) {
        windows(n, window / across, window % across, c).push_back(x(n, row, column, c));
      }
    }
  });
  const auto covered = [](const WindowAxis& axis, std::int64_t window) {
    return std::min(axis.kernel, axis.size + 2 * axis.padding - window * axis.stride);
  };
  for_each_index(y.shape, [&](const Sizes& index) {
    y.at(index) = summary(windows.at(index), covered(rows, index[1]) * covered(columns, index[2]));
  });
  return {y};
}

inline const auto max_pool_options = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return of_windows(x[0], a, a["ceil_mode"], [](const std::vector<T>& window, std::int64_t) {
    T largest = window.front();
    for (const T& value : window) largest = value_of(value) > value_of(largest) ? value : largest;
    return largest;
  });
};
inline const auto avg_pool_options = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const bool counted = a["counted"];
  return of_windows(x[0], a, true, [counted](const std::vector<T>& window, std::int64_t covered) {
    T sum = 0;
    for (const T& value : window) sum += value;
    return sum * T(1.0 / static_cast<double>(counted ? covered : static_cast<std::int64_t>(window.size())));
  });
};

/// The image with "sides" of other elements: above, below, at the left and at the right.
template <class T>
Array<T> with_sides(const Array<T>& x, const Attributes& a, double value) {
  const Sizes ends = a["sides"].get<Sizes>();
  return pad(
      Arrays<T>{x},
      Attributes{{"before", {0, ends[0], ends[2], 0}}, {"after", {0, ends[1], ends[3], 0}}, {"value", value}})[0];
}
inline const auto max_pool_sides = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return of_windows(with_sides(x[0], a, -1e30), a, false, [](const std::vector<T>& window, std::int64_t) {
    return *std::ranges::max_element(window, {}, [](const T& value) { return value_of(value); });
  });
};
inline const auto avg_pool_sides = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const bool counted = a["counted"];
  Array<T> inside(x[0].shape);
  std::ranges::fill(inside.values, T(1));
  const auto sum = [&](const Array<T>& values) {
    return of_windows(with_sides(values, a, 0), a, false, [](const std::vector<T>& window, std::int64_t) {
      T total = 0;
      for (const T& value : window) total += value;
      return total;
    })[0];
  };
  Array<T> y = sum(x[0]);
  const Array<T> counts = sum(inside);
  const auto [rows, columns] = window_axes(a, 1, 1);
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    y[i] = y[i] * T(1.0 / (counted ? static_cast<double>(rows.kernel * columns.kernel) : value_of(counts[i])));
  }
  return Arrays<T>{y};
};

inline const auto conv2d_padding = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const Sizes ends = a["padding"].get<Sizes>();
  Arrays<T> padded = x;
  padded[0] =
      pad(x, Attributes{{"before", {0, ends[0], ends[2], 0}}, {"after", {0, ends[1], ends[3], 0}}, {"value", 0.0}})[0];
  return conv2d(padded, Attributes{{"stride", a["stride"]}});
};

}  // namespace temper::reference
