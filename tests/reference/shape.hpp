#pragma once

#include <algorithm>

#include "tests/reference/array.hpp"
#include "tests/reference/var.hpp"

namespace temper::reference {

/// An array of this shape with the elements read(index).
template <class T, class Read>
Arrays<T> arranged(const Sizes& shape, Read read) {
  Array<T> y(shape);
  for_each_index(shape, [&](const Sizes& index) { y.at(index) = read(index); });
  return {y};
}

inline const auto reshape = []<class T>(const Arrays<T>& x, const Attributes& a) {
  Array<T> y(a["shape"].get<Sizes>());
  y.values = x[0].values;
  return Arrays<T>{y};
};

inline const auto flatten = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::size_t from = axis_of(a["from_axis"], x[0].shape.size());
  Sizes shape(x[0].shape.begin(), x[0].shape.begin() + static_cast<std::ptrdiff_t>(from));
  shape.push_back(count(Sizes(x[0].shape.begin() + static_cast<std::ptrdiff_t>(from), x[0].shape.end())));
  return reshape(x, Attributes{{"shape", shape}});
};

inline const auto permute = []<class T>(const Arrays<T>& x, const Attributes& a) {
  std::vector<std::size_t> source;
  Sizes shape;
  for (const std::int64_t axis : a["axes"]) {
    source.push_back(axis_of(axis, x[0].shape.size()));
    shape.push_back(x[0].shape[source.back()]);
  }
  return arranged<T>(shape, [&](const Sizes& index) {
    Sizes from = index;
    for (std::size_t axis = 0; axis < source.size(); ++axis) from[source[axis]] = index[axis];
    return x[0].at(from);
  });
};

inline const auto transpose = []<class T>(const Arrays<T>& x, const Attributes& a) {
  Sizes axes;
  for (int axis = 0; axis < x[0].rank(); ++axis) axes.push_back(axis);
  std::swap(axes[axis_of(a["a"], axes.size())], axes[axis_of(a["b"], axes.size())]);
  return permute(x, Attributes{{"axes", axes}});
};

/// The elements from begin to end along an axis.
inline const auto slice = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::size_t axis = axis_of(a["axis"], x[0].shape.size());
  const std::int64_t begin = a["begin"], end = a["end"];
  Sizes shape = x[0].shape;
  shape[axis] = end - begin;
  return arranged<T>(shape, [&](Sizes index) {
    index[axis] += begin;
    return x[0].at(index);
  });
};

/// Parts of length "size" along an axis; the last may be smaller.
inline const auto split = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::int64_t size = a["size"], whole = x[0].shape[axis_of(a["axis"], x[0].shape.size())];
  Arrays<T> parts;
  for (std::int64_t begin = 0; begin < whole; begin += size) {
    const std::int64_t end = std::min(begin + size, whole);
    parts.push_back(slice(x, Attributes{{"axis", a["axis"]}, {"begin", begin}, {"end", end}})[0]);
  }
  return parts;
};

inline const auto concat = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::size_t axis = axis_of(a["axis"], x[0].shape.size());
  Sizes shape = x[0].shape;
  shape[axis] = 0;
  for (const Array<T>& part : x) shape[axis] += part.shape[axis];
  return arranged<T>(shape, [&](Sizes index) {
    std::size_t part = 0;
    for (; index[axis] >= x[part].shape[axis]; ++part) index[axis] -= x[part].shape[axis];
    return x[part].at(index);
  });
};

inline const auto stack = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::size_t axis = axis_of(a["axis"], x[0].shape.size() + 1);
  Sizes shape = x[0].shape;
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis), static_cast<std::int64_t>(x.size()));
  return arranged<T>(shape, [&](Sizes index) {
    const std::int64_t part = index[axis];
    index.erase(index.begin() + static_cast<std::ptrdiff_t>(axis));
    return x[static_cast<std::size_t>(part)].at(index);
  });
};

inline const auto expand = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return arranged<T>(a["shape"].get<Sizes>(), [&](const Sizes& index) { return x[0].at(index); });
};

/// `before` and `after`: the number of elements `value` to add at both ends of each axis.
inline const auto pad = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const Sizes before = a["before"].get<Sizes>(), after = a["after"].get<Sizes>();
  Sizes shape = x[0].shape;
  for (std::size_t axis = 0; axis < shape.size(); ++axis) shape[axis] += before[axis] + after[axis];
  return arranged<T>(shape, [&](Sizes index) {
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      index[axis] -= before[axis];
      if (index[axis] < 0 || index[axis] >= x[0].shape[axis]) return T(a["value"].get<double>());
    }
    return x[0].at(index);
  });
};

/// y[..., i, ...] = x[..., index[..., i, ...], ...]
inline const auto gather = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::size_t axis = axis_of(a["axis"], x[0].shape.size());
  return arranged<T>(x[1].shape, [&](Sizes index) {
    index[axis] = static_cast<std::int64_t>(value_of(x[1].at(index)));
    return x[0].at(index);
  });
};

/// table [V, D], index [...] -> [..., D]
inline const auto embedding = []<class T>(const Arrays<T>& x, const Attributes&) {
  Sizes shape = x[1].shape;
  shape.push_back(x[0].size(1));
  return arranged<T>(shape, [&](Sizes index) {
    const std::int64_t d = index.back();
    index.pop_back();
    return x[0](static_cast<std::int64_t>(value_of(x[1].at(index))), d);
  });
};

}  // namespace temper::reference
