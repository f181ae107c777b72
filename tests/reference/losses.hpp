#pragma once

// Losses, and distances and angles of vectors.

#include <algorithm>
#include <cmath>

#include "tests/reference/elementwise.hpp"
#include "tests/reference/functions.hpp"
#include "tests/reference/loss.hpp"
#include "tests/reference/places.hpp"

namespace temper::reference {

using std::cosh;

template <class T>
T positive_part(const T& x) {
  return value_of(x) > 0 ? x : T(0);
}
template <class T>
T size_of(const T& x) {
  return value_of(x) > 0 ? x : value_of(x) < 0 ? T(-x) : T(0);
}

/// f(inputs..., attributes) of the elements of all inputs, which broadcast to the first; then what the reduction says.
template <class F>
auto losses_of(F f) {
  return [f]<class T>(const Arrays<T>& x, const Attributes& a) {
    Array<T> losses(x[0].shape);
    for_each_index(losses.shape, [&](const Sizes& index) {
      std::vector<T> elements;
      for (const Array<T>& each : x) elements.push_back(each.at(index));
      losses.at(index) = f(elements, a);
    });
    return reduced(losses, a, losses.numel());
  };
}

inline const auto smooth_l1_loss = losses_of([]<class T>(const std::vector<T>& x, const Attributes& a) {
  const T distance = size_of(T(x[0] - x[1]));
  const double beta = a["beta"];
  return value_of(distance) < beta ? T(distance * distance * T(0.5 / beta)) : T(distance - beta / 2);
});
inline const auto quantile_loss = losses_of([]<class T>(const std::vector<T>& x, const Attributes& a) {
  const double quantile = a["quantile"];
  const T missing = x[1] - x[0];
  return T(T(value_of(missing) > 0 ? quantile : quantile - 1) * missing);
});
inline const auto log_cosh_loss =
    losses_of([]<class T>(const std::vector<T>& x, const Attributes&) { return T(log(cosh(T(x[0] - x[1])))); });
inline const auto gaussian_nll_loss = losses_of([]<class T>(const std::vector<T>& x, const Attributes& a) {
  const double eps = a.value("eps", 1e-6), constant = a.value("full", false) ? 0.5 * std::log(2 * M_PI) : 0;
  const T variance = value_of(x[2]) < eps ? T(eps) : x[2], distance = x[0] - x[1];
  return T(T(0.5) * (log(variance) + distance * distance / variance) + T(constant));
});
inline const auto poisson_nll_loss = losses_of([]<class T>(const std::vector<T>& x, const Attributes& a) {
  const double t = value_of(x[1]);
  const T eps = a.value("eps", 1e-8);
  T loss = a.value("log_input", true) ? T(exp(x[0]) - T(t) * x[0]) : T(x[0] - T(t) * log(T(x[0] + eps)));
  if (a.value("full", false) && t > 1) loss += T(t * std::log(t) - t + 0.5 * std::log(2 * M_PI * t));
  return loss;
});

/// x [..., classes], labels [...], maybe weights [classes].
inline const auto nll_loss = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const double ignored = a.value("ignore_index", -100);
  const std::int64_t classes = x[0].size(-1);
  Array<T> losses(x[1].shape);
  double counted = 0;
  for (std::int64_t row = 0; row < losses.numel(); ++row) {
    if (value_of(x[1][row]) == ignored) continue;
    const std::int64_t label = whole(x[1][row]);
    const double weight = x.size() > 2 ? value_of(x[2][label]) : 1;
    counted += weight;
    losses[row] = T(-weight) * x[0][row * classes + label];
  }
  Arrays<T> y = reduced(losses, a, 1);
  if (a.value("reduction", "mean") == std::string("mean")) y[0][0] = y[0][0] * T(1 / counted);
  return y;
};

inline const auto kl_div = []<class T>(const Arrays<T>& x, const Attributes& a) {
  Attributes how = a;
  const bool batch_mean = a["reduction"] == "batchmean";
  if (batch_mean) how["reduction"] = "sum";
  Arrays<T> y = losses_of([]<class U>(const std::vector<U>& pair, const Attributes& b) {
    const U& t = pair[1];
    if (b.value("log_target", false)) return U(exp(t) * (t - pair[0]));
    return value_of(t) == 0 ? U(0) : U(t * (log(t) - pair[0]));
  })(x, how);
  if (batch_mean) y[0][0] = y[0][0] * T(1.0 / static_cast<double>(x[0].size(0)));
  return y;
};

inline const auto binary_cross_entropy = losses_of([]<class T>(const std::vector<T>& x, const Attributes&) {
  const auto bounded_log = [](const T& p) { return value_of(p) < 1e-40 ? T(-100) : T(log(p)); };
  const T loss = x[1] * bounded_log(x[0]) + (T(1) - x[1]) * bounded_log(T(T(1) - x[0]));
  return T(-loss * (x.size() > 2 ? x[2] : T(1)));
});
/// Of logits, with the weights of targets of 1, and maybe those of all.
inline const auto bce_weights = losses_of([]<class T>(const std::vector<T>& x, const Attributes&) {
  const T loss = (T(1) - x[1]) * x[0] + (T(1) + (x[2] - T(1)) * x[1]) * softplus_of(T(-x[0]));
  return T(loss * (x.size() > 3 ? x[3] : T(1)));
});
inline const auto focal_loss = losses_of([]<class T>(const std::vector<T>& x, const Attributes& a) {
  const double alpha = a["alpha"];
  const T p = sigmoid(x[0]), wrong = p + x[1] - T(2) * p * x[1];
  const T loss = softplus_of(x[0]) - x[1] * x[0];
  const T weight = alpha < 0 ? T(1) : T(T(alpha) * x[1] + T(1 - alpha) * (T(1) - x[1]));
  return T(loss * pow(wrong, a["gamma"].get<double>()) * weight);
});

/// (sum |x|^p)^(1/p), with a slope of 0 at 0.
template <class T>
T length_of(const std::vector<T>& x, double p) {
  T total = 0;
  for (const T& value : x) total += p == 2 ? T(value * value) : T(pow(size_of(value), p));
  return value_of(total) == 0 ? T(0) : p == 2 ? T(sqrt(total)) : T(pow(total, 1 / p));
}
template <class T>
T at_least(const T& x, double least) {
  return value_of(x) < least ? T(least) : x;
}
template <class T>
T cosine_of(const std::vector<T>& a, const std::vector<T>& b, double eps) {
  T product = 0;
  for (std::size_t i = 0; i < a.size(); ++i) product += a[i] * b[i];
  return product / (at_least(length_of(a, 2), eps) * at_least(length_of(b, 2), eps));
}
template <class T>
T distance_of(const std::vector<T>& a, const std::vector<T>& b, double p) {
  std::vector<T> difference;
  for (std::size_t i = 0; i < a.size(); ++i) difference.push_back(a[i] - b[i] + T(1e-6));
  return length_of(difference, p);
}

inline const auto normalize = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const double p = a["p"];
  return along(x[0], a["axis"], [p](std::vector<T> line) {
    const T length = at_least(length_of(line, p), 1e-12);
    for (T& value : line) value = value / length;
    return line;
  });
};

/// f(lines of all inputs) along an axis, where they broadcast.
template <class T, class F>
Array<T> of_lines(const Arrays<T>& x, std::int64_t axis, F f) {
  Sizes whole = x[0].shape;
  for (const Array<T>& each : x) whole = broadcast(whole, each.shape);
  const std::size_t along_axis = axis_of(axis, whole.size());
  Sizes shape = whole, starts = whole;
  shape.erase(shape.begin() + static_cast<std::ptrdiff_t>(along_axis));
  starts[along_axis] = 1;
  Array<T> y(shape);
  std::int64_t number = 0;
  for_each_index(starts, [&](Sizes index) {
    std::vector<std::vector<T>> lines(x.size());
    for (index[along_axis] = 0; index[along_axis] < whole[along_axis]; ++index[along_axis]) {
      for (std::size_t i = 0; i < x.size(); ++i) lines[i].push_back(x[i].at(index));
    }
    y[number++] = f(lines);
  });
  return y;
}

inline const auto cosine_similarity = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return Arrays<T>{of_lines(x, a["axis"], [](const auto& lines) { return cosine_of(lines[0], lines[1], 1e-8); })};
};
inline const auto pairwise_distance = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const double p = a["p"];
  Array<T> y = of_lines(x, -1, [p](const auto& lines) { return distance_of(lines[0], lines[1], p); });
  if (a.value("keepdim", false)) y.shape.push_back(1);
  return Arrays<T>{y};
};
inline const auto cosine_embedding_loss = []<class T>(const Arrays<T>& x, const Attributes& a) {
  Array<T> losses = of_lines(Arrays<T>{x[0], x[1]}, -1, [](const auto& l) { return cosine_of(l[0], l[1], 1e-6); });
  for (std::int64_t i = 0; i < losses.numel(); ++i) {
    const T cos = losses[i];
    losses[i] = value_of(x[2][i]) > 0 ? T(T(1) - cos) : positive_part(T(cos - T(a["margin"].get<double>())));
  }
  return reduced(losses, a, losses.numel());
};
inline const auto margin_ranking_loss = losses_of([]<class T>(const std::vector<T>& x, const Attributes& a) {
  return positive_part(T(T(a["margin"].get<double>()) - x[2] * (x[0] - x[1])));
});
inline const auto hinge_embedding_loss = losses_of([]<class T>(const std::vector<T>& x, const Attributes& a) {
  return value_of(x[1]) > 0 ? x[0] : positive_part(T(T(a["margin"].get<double>()) - x[0]));
});
inline const auto soft_margin_loss =
    losses_of([]<class T>(const std::vector<T>& x, const Attributes&) { return softplus_of(T(-(x[1] * x[0]))); });

inline const auto multi_margin_loss = []<class T>(const Arrays<T>& x, const Attributes& a) {
  Array<T> losses({x[0].size(0)});
  const std::int64_t classes = x[0].size(1);
  for (std::int64_t row = 0; row < losses.numel(); ++row) {
    const std::int64_t label = whole(x[1][row]);
    for (std::int64_t c = 0; c < classes; ++c) {
      const T term = positive_part(T(T(a["margin"].get<double>()) - x[0](row, label) + x[0](row, c)));
      if (c != label) losses[row] += (a["p"] == 2 ? T(term * term) : term) * T(1.0 / static_cast<double>(classes));
    }
  }
  return reduced(losses, a, losses.numel());
};

inline const auto triplet_margin_loss = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const double p = a["p"];
  const Array<T> losses = of_lines(x, -1, [&](const auto& lines) {
    T away = distance_of(lines[0], lines[2], p);
    if (a["swap"].template get<bool>()) {
      const T other = distance_of(lines[1], lines[2], p);
      if (value_of(other) < value_of(away)) away = other;
    }
    return positive_part(T(distance_of(lines[0], lines[1], p) - away + T(a["margin"].template get<double>())));
  });
  return reduced(losses, a, losses.numel());
};

/// Reduces rows offsets[s] to offsets[s + 1] of x by `summary` of a column; 0 where there are none.
template <class Summary>
auto segments(Summary summary) {
  return [summary]<class T>(const Arrays<T>& x, const Attributes&) {
    Sizes shape = x[0].shape;
    shape[0] = x[1].numel() - 1;
    return arranged<T>(shape, [&](Sizes index) {
      const std::int64_t begin = whole(x[1][index[0]]), end = whole(x[1][index[0] + 1]);
      std::vector<T> column;
      for (index[0] = begin; index[0] < end; ++index[0]) column.push_back(x[0].at(index));
      return column.empty() ? T(0) : T(summary(column));
    });
  };
}
template <class T>
T sum_of(const std::vector<T>& values) {
  T total = 0;
  for (const T& value : values) total += value;
  return total;
}
inline const auto segment_sum = segments([](const auto& column) { return sum_of(column); });
inline const auto segment_mean = segments(
    []<class T>(const std::vector<T>& column) { return sum_of(column) * T(1.0 / static_cast<double>(column.size())); });
template <bool largest>
inline const auto segment_extreme = segments([]<class T>(const std::vector<T>& column) {
  const auto lower = [](const T& a, const T& b) { return value_of(a) < value_of(b); };
  return largest ? *std::ranges::max_element(column, lower) : *std::ranges::min_element(column, lower);
});

/// weight [V, D], ids, maybe offsets, maybe a factor for each id.
inline const auto embedding_bag = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const Array<T>& ids = x[1];
  const bool matrix = ids.rank() == 2, weighted = x.size() > (matrix ? 2u : 3u);
  std::vector<std::int64_t> offsets;
  for (std::int64_t i = 0; i < (matrix ? ids.size(0) : x[2].numel()); ++i) {
    offsets.push_back(matrix ? i * ids.size(1) : whole(x[2][i]));
  }
  if (!a.value("last", false)) offsets.push_back(ids.numel());
  const std::string mode = a["mode"];
  const std::int64_t padding = a.contains("padding") ? a["padding"].get<std::int64_t>() : -1;
  return arranged<T>({static_cast<std::int64_t>(offsets.size()) - 1, x[0].size(1)}, [&](const Sizes& index) {
    std::vector<T> rows;
    const auto bag = static_cast<std::size_t>(index[0]);
    for (std::int64_t i = offsets[bag]; i < offsets[bag + 1]; ++i) {
      const T& row = x[0](whole(ids[i]), index[1]);
      if (whole(ids[i]) != padding) rows.push_back(weighted ? T(row * x.back()[i]) : row);
    }
    if (rows.empty()) return T(0);
    if (mode == "max") {
      return *std::ranges::max_element(rows, [](const T& u, const T& v) { return value_of(u) < value_of(v); });
    }
    return T(sum_of(rows) * T(mode == "mean" ? 1.0 / static_cast<double>(rows.size()) : 1.0));
  });
};

/// Logits [N, T, classes], targets, lengths of inputs and of targets: all paths, with their probabilities as they are.
inline const auto ctc_loss = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::int64_t batch = x[0].size(0), steps = x[0].size(1), classes = x[0].size(2), blank = a.value("blank", 0);
  Array<T> losses({batch});
  std::int64_t next = 0;
  for (std::int64_t n = 0; n < batch; ++n) {
    const std::int64_t length = whole(x[3][n]), first = x[1].rank() == 2 ? n * x[1].size(1) : next;
    next += length;
    std::vector<std::int64_t> states{blank};
    for (std::int64_t i = 0; i < length; ++i) {
      states.push_back(whole(x[1][first + i]));
      states.push_back(blank);
    }
    std::vector<T> reached(states.size());
    for (std::int64_t step = 0; step < whole(x[2][n]); ++step) {
      const auto row = x[0].values.begin() + (n * steps + step) * classes;
      const std::vector<T> emitted = softmax_of(std::vector<T>(row, row + classes));
      std::vector<T> now(states.size());
      for (std::size_t s = 0; s < states.size(); ++s) {
        T before = step == 0 ? T(s < 2 ? 1.0 : 0.0) : reached[s];
        if (step > 0 && s > 0) before += reached[s - 1];
        if (step > 0 && s > 1 && states[s] != blank && states[s] != states[s - 2]) before += reached[s - 2];
        now[s] = before * emitted[static_cast<std::size_t>(states[s])];
      }
      reached = now;
    }
    const T total = states.size() == 1 ? reached[0] : T(reached.back() + reached[states.size() - 2]);
    const double divisor =
        a.value("reduction", "mean") == std::string("mean") ? std::max(1.0, static_cast<double>(length)) : 1;
    if (value_of(total) > 0) losses[n] = log(total) * T(-1 / divisor);
  }
  return reduced(losses, a, batch);
};

/// f(elements, attributes) of the elements of all inputs, which broadcast.
template <class F>
auto of_elements(F f) {
  return [f]<class T>(const Arrays<T>& x, const Attributes&) {
    Sizes shape = x[0].shape;
    for (const Array<T>& each : x) shape = broadcast(shape, each.shape);
    return arranged<T>(shape, [&](const Sizes& index) {
      std::vector<T> elements;
      for (const Array<T>& each : x) elements.push_back(each.at(index));
      return T(f(elements));
    });
  };
}

/// The logarithm of the normal density: x, mean, deviation.
template <class T>
T normal_density(const T& x, const T& mean_of, const T& deviation_of) {
  const T distance = (x - mean_of) / deviation_of;
  return T(-0.5) * distance * distance - log(deviation_of) - T(0.5 * std::log(2 * M_PI));
}
inline const auto normal_log_prob =
    of_elements([](const auto& x) { return normal_density(x[0], x[1], x[2]); });
inline const auto tanh_normal_log_prob = of_elements([]<class T>(const std::vector<T>& x) {
  return T(normal_density(T(atanh(x[0])), x[1], x[2]) - log(T(T(1) - x[0] * x[0])));
});
inline const auto normal_entropy = of_elements([]<class T>(const std::vector<T>& x) {
  return T(log(x[1]) + T(0.5 + 0.5 * std::log(2 * M_PI)) + T(0) * x[0]);
});
/// Mean and deviation of p, then of q.
inline const auto normal_kl = of_elements([]<class T>(const std::vector<T>& x) {
  const T ratio = x[1] / x[3], distance = (x[0] - x[2]) / x[3];
  return T(T(0.5) * (ratio * ratio + distance * distance - T(1)) - log(ratio));
});

/// f(logarithms of probabilities, those of the second input) of each row of logits [..., classes].
template <class F>
auto of_logits(F f) {
  return [f]<class T>(const Arrays<T>& x, const Attributes&) {
    Sizes shape = x[0].shape;
    const std::int64_t classes = shape.back();
    shape.pop_back();
    Array<T> y(shape);
    const auto row = [&](const Array<T>& logits, std::int64_t number) {
      const auto begin = logits.values.begin() + number * classes;
      return log_softmax_of(std::vector<T>(begin, begin + classes));
    };
    for (std::int64_t i = 0; i < y.numel(); ++i) y[i] = f(row(x[0], i), row(x.back(), i));
    return Arrays<T>{y};
  };
}
inline const auto categorical_entropy = of_logits([]<class T>(const std::vector<T>& p, const std::vector<T>&) {
  T total = 0;
  for (const T& log_p : p) total += exp(log_p) * log_p;
  return T(-total);
});
inline const auto categorical_kl = of_logits([]<class T>(const std::vector<T>& p, const std::vector<T>& q) {
  T total = 0;
  for (std::size_t i = 0; i < p.size(); ++i) total += exp(p[i]) * (p[i] - q[i]);
  return total;
});
/// Logits [..., classes], classes [...], which broadcast to the rows or have more axes before.
inline const auto categorical_log_prob = []<class T>(const Arrays<T>& x, const Attributes&) {
  const std::int64_t classes = x[0].size(-1);
  Array<T> logarithms = x[0];
  for (std::int64_t row = 0; row < x[0].numel() / classes; ++row) {
    const auto begin = logarithms.values.begin() + row * classes;
    std::ranges::copy(log_softmax_of(std::vector<T>(begin, begin + classes)), begin);
  }
  Sizes batch = x[0].shape;
  batch.pop_back();
  return arranged<T>(broadcast(x[1].shape, batch), [&](Sizes index) {
    index.push_back(whole(x[1].at(index)));
    return logarithms.at(index);
  });
};

inline const auto bernoulli_log_prob = of_elements([]<class T>(const std::vector<T>& x) {
  return T(-(softplus_of(x[0]) - x[1] * x[0]));
});
inline const auto bernoulli_entropy = of_elements([]<class T>(const std::vector<T>& x) {
  return T(softplus_of(x[0]) - sigmoid(x[0]) * x[0]);
});
inline const auto bernoulli_kl = of_elements([]<class T>(const std::vector<T>& x) {
  const T chance = sigmoid(x[0]);
  return T(chance * (softplus_of(T(-x[1])) - softplus_of(T(-x[0]))) +
           (T(1) - chance) * (softplus_of(x[1]) - softplus_of(x[0])));
});

/// v, and a length for each index along "axis".
inline const auto weight_norm = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::size_t axis = axis_of(a["axis"], x[0].shape.size());
  std::vector<std::vector<T>> elements(static_cast<std::size_t>(x[0].shape[axis]));
  for_each_index(x[0].shape, [&](const Sizes& index) {
    elements[static_cast<std::size_t>(index[axis])].push_back(x[0].at(index));
  });
  std::vector<T> factors;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    factors.push_back(x[1][static_cast<std::int64_t>(i)] / length_of(elements[i], 2));
  }
  return arranged<T>(x[0].shape, [&](const Sizes& index) {
    return x[0].at(index) * factors[static_cast<std::size_t>(index[axis])];
  });
};
/// weight / (u W v)
inline const auto spectral_norm = []<class T>(const Arrays<T>& x, const Attributes&) {
  const std::int64_t columns = x[2].numel();
  T total = 0;
  for (std::int64_t i = 0; i < x[0].numel(); ++i) total += x[1][i / columns] * x[0][i] * x[2][i % columns];
  Array<T> y = x[0];
  for (T& value : y.values) value = value / total;
  return Arrays<T>{y};
};

}  // namespace temper::reference
