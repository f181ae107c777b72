#pragma once

#include <algorithm>

#include "tests/reference/array.hpp"
#include "tests/reference/var.hpp"

namespace temper::reference {

/// A reference that reduces all elements along the given axes to one ("axes", default: all; "keepdim").
template <class Summary>
auto reduction(Summary summary) {
  return [summary]<class T>(const Arrays<T>& inputs, const Attributes& a) {
    const Array<T>& x = inputs[0];
    std::vector<bool> reduced(x.shape.size(), !a.contains("axes"));
    if (a.contains("axes")) {
      for (const std::int64_t axis : a["axes"]) reduced[axis_of(axis, x.shape.size())] = true;
    }
    Sizes kept = x.shape, shape;
    for (std::size_t axis = 0; axis < kept.size(); ++axis) {
      if (reduced[axis]) kept[axis] = 1;
      if (!reduced[axis] || a.value("keepdim", false)) shape.push_back(kept[axis]);
    }
    Array<std::vector<T>> groups(kept);
    // The reduced axes have size 1, so broadcasting maps an index of x to its group.
    for_each_index(x.shape, [&](const Sizes& index) { groups.at(index).push_back(x.at(index)); });
    Array<T> y(shape);
    for (std::int64_t i = 0; i < y.numel(); ++i) y[i] = summary(groups[i]);
    return Arrays<T>{y};
  };
}

inline const auto sum = reduction([]<class T>(const std::vector<T>& group) {
  T total = 0;
  for (const T& value : group) total += value;
  return total;
});
inline const auto mean = reduction([]<class T>(const std::vector<T>& group) {
  T total = 0;
  for (const T& value : group) total += value;
  return T(total * T(1.0 / static_cast<double>(group.size())));
});
/// The mean of the elements that are equal to `extreme`, so that they share the gradient.
template <class T>
T shared(const std::vector<T>& group, double extreme) {
  std::vector<T> equals;
  for (const T& value : group) {
    if (value_of(value) == extreme) equals.push_back(value);
  }
  if (equals.size() == 1) return equals[0];
  T total = 0;
  for (const T& value : equals) total += value * T(1.0 / static_cast<double>(equals.size()));
  return total;
}
inline const auto largest = reduction([]<class T>(const std::vector<T>& group) {
  double extreme = value_of(group.front());
  for (const T& value : group) extreme = std::max(extreme, value_of(value));
  return shared(group, extreme);
});
inline const auto smallest = reduction([]<class T>(const std::vector<T>& group) {
  double extreme = value_of(group.front());
  for (const T& value : group) extreme = std::min(extreme, value_of(value));
  return shared(group, extreme);
});

/// The first of equal elements.
inline const auto argmax = []<class T>(const Arrays<T>& x, const Attributes& a) {
  Attributes axes;
  axes["axes"] = {a["axis"]};
  return reduction([]<class U>(const std::vector<U>& group) {
    const auto below = [](const U& left, const U& right) { return value_of(left) < value_of(right); };
    return U(static_cast<double>(std::ranges::max_element(group, below) - group.begin()));
  })(x, axes);
};

}  // namespace temper::reference
