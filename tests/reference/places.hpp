#pragma once

// Elements by their places, in order, summed up along the way, and in another arrangement.

#include <algorithm>
#include <numeric>

#include "tests/reference/elementwise.hpp"
#include "tests/reference/shape.hpp"

namespace temper::reference {

template <class T>
std::int64_t whole(const T& x) {
  return static_cast<std::int64_t>(value_of(x));
}

inline const auto index_select = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::size_t axis = axis_of(a["axis"], x[0].shape.size());
  Sizes shape = x[0].shape;
  shape[axis] = x[1].numel();
  return arranged<T>(shape, [&](Sizes index) {
    index[axis] = whole(x[1][index[axis]]);
    return x[0].at(index);
  });
};

inline const auto index_add = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::size_t axis = axis_of(a["axis"], x[0].shape.size());
  Array<T> y = x[0];
  for_each_index(x[2].shape, [&](const Sizes& index) {
    Sizes to = index;
    to[axis] = whole(x[1][index[axis]]);
    y.at(to) += x[2].at(index);
  });
  return Arrays<T>{y};
};

/// The elements of x[2] put at the places x[1], or added to what is there.
template <bool add>
inline const auto scattered = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::size_t axis = axis_of(a["axis"], x[0].shape.size());
  Array<T> y = x[0];
  for_each_index(x[1].shape, [&](const Sizes& index) {
    Sizes to = index;
    to[axis] = whole(x[1].at(index));
    y.at(to) = add ? T(y.at(to) + x[2].at(index)) : x[2].at(index);
  });
  return Arrays<T>{y};
};

inline const auto nonzero = []<class T>(const Arrays<T>& x, const Attributes&) {
  std::vector<T> places;
  for_each_index(x[0].shape, [&](const Sizes& index) {
    if (value_of(x[0].at(index)) == 0) return;
    for (const std::int64_t place : index) places.push_back(T(static_cast<double>(place)));
  });
  const auto rank = static_cast<std::int64_t>(x[0].shape.size());
  Array<T> y({static_cast<std::int64_t>(places.size()) / rank, rank});
  y.values = places;
  return Arrays<T>{y};
};

inline const auto masked_select = []<class T>(const Arrays<T>& x, const Attributes&) {
  std::vector<T> chosen;
  for (std::int64_t i = 0; i < x[0].numel(); ++i) {
    if (value_of(x[1][i]) != 0) chosen.push_back(x[0][i]);
  }
  Array<T> y({static_cast<std::int64_t>(chosen.size())});
  y.values = chosen;
  return Arrays<T>{y};
};

/// Calls line(elements) for each line along "axis", and makes of what it returns the lines of the result.
template <class T, class Line>
Array<T> by_lines(const Array<T>& x, const Attributes& a, std::int64_t size, Line line) {
  const std::size_t axis = axis_of(a["axis"], x.shape.size());
  Sizes shape = x.shape, lines = x.shape;
  shape[axis] = size;
  lines[axis] = 1;
  Array<T> y(shape);
  for_each_index(lines, [&](Sizes index) {
    std::vector<T> elements;
    for (index[axis] = 0; index[axis] < x.shape[axis]; ++index[axis]) elements.push_back(x.at(index));
    const std::vector<T> made = line(elements);
    for (index[axis] = 0; index[axis] < size; ++index[axis]) y.at(index) = made[static_cast<std::size_t>(index[axis])];
  });
  return y;
}

/// The first "k" numbers in order, or all, and where they stood; or that alone.
inline auto ordered(bool places_alone) {
  return [places_alone]<class T>(const Arrays<T>& x, const Attributes& a) {
    const bool down = a.value("descending", a.value("largest", false));
    const std::int64_t size = a.value("k", x[0].shape[axis_of(a["axis"], x[0].shape.size())]);
    const auto order = [&](const std::vector<T>& line) {
      std::vector<std::size_t> places(line.size());
      std::iota(places.begin(), places.end(), std::size_t{0});
      std::ranges::stable_sort(places, [&](std::size_t i, std::size_t j) {
        return down ? value_of(line[i]) > value_of(line[j]) : value_of(line[i]) < value_of(line[j]);
      });
      return places;
    };
    Arrays<T> results;
    if (!places_alone) {
      results.push_back(by_lines(x[0], a, size, [&](const std::vector<T>& line) {
        std::vector<T> values;
        for (const std::size_t place : order(line)) values.push_back(line[place]);
        return values;
      }));
    }
    results.push_back(by_lines(x[0], a, size, [&](const std::vector<T>& line) {
      std::vector<T> values;
      for (const std::size_t place : order(line)) values.push_back(T(static_cast<double>(place)));
      return values;
    }));
    return results;
  };
}

/// What `step` makes of what is gathered so far and the next element.
template <class Step>
auto running(double first, Step step) {
  return [=]<class T>(const Arrays<T>& x, const Attributes& a) {
    const bool reverse = a.value("reverse", false), exclusive = a.value("exclusive", false);
    const std::int64_t size = x[0].shape[axis_of(a["axis"], x[0].shape.size())];
    return Arrays<T>{by_lines(x[0], a, size, [&](std::vector<T> line) {
      if (reverse) std::ranges::reverse(line);
      std::vector<T> results;
      T gathered = first;
      for (const T& element : line) {
        const T next = step(gathered, element);
        results.push_back(exclusive ? gathered : next);
        gathered = next;
      }
      if (reverse) std::ranges::reverse(results);
      return results;
    })};
  };
}
inline const auto cumsum = running(0, [](const auto& sum, const auto& x) { return sum + x; });
inline const auto cumprod = running(1, [](const auto& product, const auto& x) { return product * x; });

template <class T>
T log_sum_exp(const std::vector<T>& line) {
  double largest = -HUGE_VAL;
  for (const T& x : line) largest = std::max(largest, value_of(x));
  T sum = 0;
  for (const T& x : line) sum += exp(T(x - largest));
  return log(sum) + T(largest);
}

inline const auto logcumsumexp = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::int64_t size = x[0].shape[axis_of(a["axis"], x[0].shape.size())];
  return Arrays<T>{by_lines(x[0], a, size, [&](const std::vector<T>& line) {
    std::vector<T> results, before;
    for (const T& element : line) {
      before.push_back(element);
      results.push_back(log_sum_exp(before));
    }
    return results;
  })};
};

/// The same elements under a shape that `change` makes of that of x.
template <class Change>
auto reshaped(Change change) {
  return [change]<class T>(const Arrays<T>& x, const Attributes& a) {
    return reshape(x, Attributes{{"shape", change(x[0].shape, a)}});
  };
}
inline const auto squeeze = reshaped([](Sizes shape, const Attributes&) {
  std::erase(shape, 1);
  return shape;
});
inline const auto unsqueeze = reshaped([](Sizes shape, const Attributes& a) {
  shape.insert(shape.begin() + static_cast<std::ptrdiff_t>(axis_of(a["axis"], shape.size() + 1)), 1);
  return shape;
});

inline const auto strided_slice = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::size_t axis = axis_of(a["axis"], x[0].shape.size());
  Sizes shape = x[0].shape;
  const std::int64_t size = shape[axis], step = a["step"];
  const auto inside = [size](std::int64_t place) {
    return std::clamp<std::int64_t>(place < 0 ? place + size : place, 0, size);
  };
  const std::int64_t begin = inside(a["begin"]), end = inside(a["end"]);
  shape[axis] = end > begin ? (end - begin + step - 1) / step : 0;
  return arranged<T>(shape, [&](Sizes index) {
    index[axis] = begin + index[axis] * step;
    return x[0].at(index);
  });
};

inline const auto flip = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return arranged<T>(x[0].shape, [&](Sizes index) {
    for (const std::int64_t number : a["axes"]) {
      const std::size_t axis = axis_of(number, index.size());
      index[axis] = x[0].shape[axis] - 1 - index[axis];
    }
    return x[0].at(index);
  });
};

/// y[..., i, ...] = x[..., from(i, size), ...] along "axis", which has `size` times `more` elements then.
template <class From>
auto along_axis(From from, bool longer = false) {
  return [=]<class T>(const Arrays<T>& x, const Attributes& a) {
    const std::size_t axis = axis_of(a["axis"], x[0].shape.size());
    Sizes shape = x[0].shape;
    const std::int64_t size = shape[axis];
    if (longer) shape[axis] *= a["repeats"].get<std::int64_t>();
    return arranged<T>(shape, [&](Sizes index) {
      index[axis] = from(index[axis], size, a);
      return x[0].at(index);
    });
  };
}
inline const auto roll = along_axis([](std::int64_t i, std::int64_t size, const Attributes& a) {
  return ((i - a["shift"].get<std::int64_t>()) % size + size) % size;
});
inline const auto repeat_interleave = along_axis(
    [](std::int64_t i, std::int64_t, const Attributes& a) { return i / a["repeats"].get<std::int64_t>(); }, true);

inline const auto tile = []<class T>(const Arrays<T>& x, const Attributes& a) {
  Sizes shape = x[0].shape;
  const Sizes repeats = a["repeats"].get<Sizes>();
  for (std::size_t axis = 0; axis < shape.size(); ++axis) shape[axis] *= repeats[axis];
  return arranged<T>(shape, [&](Sizes index) {
    for (std::size_t axis = 0; axis < shape.size(); ++axis) index[axis] %= x[0].shape[axis];
    return x[0].at(index);
  });
};

inline auto triangle(bool lower) {
  return [lower]<class T>(const Arrays<T>& x, const Attributes& a) {
    const std::int64_t diagonal = a["diagonal"];
    return arranged<T>(x[0].shape, [&](const Sizes& index) {
      const std::int64_t distance = index.back() - index[index.size() - 2];
      return (lower ? distance <= diagonal : distance >= diagonal) ? x[0].at(index) : T(0);
    });
  };
}

inline const auto diagonal = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::int64_t offset = a["offset"], first_row = std::max<std::int64_t>(0, -offset),
                     first_column = std::max<std::int64_t>(0, offset);
  Sizes shape = x[0].shape;
  const std::int64_t columns = shape.back();
  shape.pop_back();
  shape.back() = std::max<std::int64_t>(0, std::min(shape.back() - first_row, columns - first_column));
  return arranged<T>(shape, [&](Sizes index) {
    const std::int64_t i = index.back();
    index.back() = first_row + i;
    index.push_back(first_column + i);
    return x[0].at(index);
  });
};

inline const auto one_hot = []<class T>(const Arrays<T>& x, const Attributes& a) {
  Sizes shape = x[0].shape;
  shape.push_back(a["classes"]);
  return arranged<T>(shape, [&](Sizes index) {
    const std::int64_t number = index.back();
    index.pop_back();
    return T(whole(x[0].at(index)) == number ? 1.0 : 0.0);
  });
};

}  // namespace temper::reference
