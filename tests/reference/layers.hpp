#pragma once

// Rotary embeddings, attention with all options, 1-D, 3-D and transposed convolutions, group norm, recurrent layers.

#include <cmath>

#include "tests/reference/image.hpp"
#include "tests/reference/loss.hpp"

namespace temper::reference {

/// x [..., T, D] with its first 2 * pairs features rotated. The table is rounded to float, as in the engine.
inline const auto rotary_embedding = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::int64_t pairs = a["pairs"], offset = a["offset"];
  const bool interleaved = a["interleaved"];
  Array<T> y(x[0].shape);
  for_each_index(y.shape, [&](const Sizes& index) {
    const std::int64_t feature = index.back(), t = *(index.end() - 2) + offset;
    if (feature >= 2 * pairs) {
      y.at(index) = x[0].at(index);
      return;
    }
    const std::int64_t pair = interleaved ? feature / 2 : feature % pairs;
    const bool second = interleaved ? feature % 2 == 1 : feature >= pairs;
    Sizes other = index;
    other.back() += (second ? -1 : 1) * (interleaved ? 1 : pairs);
    const double frequency = std::pow(a["base"].get<double>(), -static_cast<double>(pair) / static_cast<double>(pairs));
    const double angle = static_cast<double>(t) * frequency;
    const T cosine = static_cast<float>(std::cos(angle)), sine = static_cast<float>(std::sin(angle));
    const T part = x[0].at(index) * cosine, turned = x[0].at(other) * sine;
    y.at(index) = second ? T(part + turned) : T(part - turned);
  });
  return Arrays<T>{y};
};

/// Whether query `row` sees `key`.
inline bool sees(const Attributes& a, std::int64_t row, std::int64_t key) {
  const std::int64_t left = a.value("left", -1), right = a.value("right", -1);
  if (a.value("causal", false) && key > row) return false;
  return (left < 0 || key >= row - left) && (right < 0 || key <= row + right);
}

/// The result of one query: dot(key) is its score with a key, value(key, e) element e of the key's value.
template <class T>
void attend(const Attributes& a, std::int64_t row, std::int64_t keys, std::int64_t out, auto dot, auto value,
            auto put) {
  std::vector<T> scores;
  Sizes seen;
  for (std::int64_t key = 0; key < keys; ++key) {
    if (!sees(a, row, key)) continue;
    scores.push_back(dot(key));
    seen.push_back(key);
  }
  scores = softmax_of(scores);
  for (std::int64_t e = 0; e < out; ++e) {
    T sum = 0;
    for (std::size_t j = 0; j < seen.size(); ++j) sum += scores[j] * value(seen[j], e);
    put(e, sum);
  }
}

/// q [N, H, T, D], k and v [N, Hkv, S, D], and a bias that broadcasts to [N, H, T, S].
inline const auto grouped_attention = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const Array<T>&q = x[0], &k = x[1], &v = x[2];
  const std::int64_t group = q.size(1) / k.size(1), width = q.size(3);
  Array<T> y({q.size(0), q.size(1), q.size(2), v.size(3)});
  for_each_index({q.size(0), q.size(1), q.size(2)}, [&](const Sizes& at) {
    const std::int64_t n = at[0], h = at[1], t = at[2];
    attend<T>(
        a, t, k.size(2), v.size(3),
        [&](std::int64_t key) {
          T score = 0;
          for (std::int64_t d = 0; d < width; ++d) score += q(n, h, t, d) * k(n, h / group, key, d);
          score = score * T(1 / std::sqrt(static_cast<double>(width)));
          return x.size() > 3 ? T(score + x[3].at({n, h, t, key})) : score;
        },
        [&](std::int64_t key, std::int64_t e) { return v(n, h / group, key, e); },
        [&](std::int64_t e, const T& sum) { y(n, h, t, e) = sum; });
  });
  return Arrays<T>{y};
};

/// q [tokens, H, D], k [tokens, Hkv, D], v [tokens, Hkv, E], offsets of the sequences.
inline const auto packed_attention = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const Array<T>&q = x[0], &k = x[1], &v = x[2];
  const std::int64_t group = q.size(1) / k.size(1), width = q.size(2);
  Array<T> y({q.size(0), q.size(1), v.size(2)});
  for (std::int64_t i = 0; i + 1 < x[3].numel(); ++i) {
    const auto begin = static_cast<std::int64_t>(value_of(x[3][i])),
               end = static_cast<std::int64_t>(value_of(x[3][i + 1]));
    for_each_index({q.size(1), end - begin}, [&](const Sizes& at) {
      const std::int64_t h = at[0], t = at[1];
      attend<T>(
          a, t, end - begin, v.size(2),
          [&](std::int64_t key) {
            T score = 0;
            for (std::int64_t d = 0; d < width; ++d) score += q(begin + t, h, d) * k(begin + key, h / group, d);
            return T(score * T(1 / std::sqrt(static_cast<double>(width))));
          },
          [&](std::int64_t key, std::int64_t e) { return v(begin + key, h / group, e); },
          [&](std::int64_t e, const T& sum) { y(begin + t, h, e) = sum; });
    });
  }
  return Arrays<T>{y};
};

/// An array under another shape.
template <class T>
Array<T> reshaped(const Array<T>& x, const Sizes& shape) {
  Array<T> y(shape);
  y.values = x.values;
  return y;
}

/// x [N, L, I], w [O, I / groups, k]: a convolution of images with one row, after padding.
inline const auto conv1d = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const Attributes padding = a.value("padding", Attributes::array({0, 0}));
  const std::int64_t before = padding[0], after = padding[1], length = x[0].size(1) + before + after;
  Array<T> padded({x[0].size(0), 1, length, x[0].size(2)});
  for_each_index(x[0].shape, [&](const Sizes& i) { padded(i[0], 0, i[1] + before, i[2]) = x[0].at(i); });
  Arrays<T> inputs = {padded, reshaped(x[1], {x[1].size(0), x[1].size(1), 1, x[1].size(2)})};
  if (x.size() > 2) inputs.push_back(x[2]);
  const Array<T> y = conv2d(inputs, {{"stride", {1, a.value("stride", 1)}},
                                     {"dilation", {1, a.value("dilation", 1)}},
                                     {"groups", a.value("groups", 1)}})[0];
  return Arrays<T>{reshaped(y, {y.size(0), y.size(2), y.size(3)})};
};

/// x [N, D, H, W, I], w [O, I / groups, kd, kh, kw]
inline const auto conv3d = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const auto three = [&](const char* name, int otherwise) -> Sizes {
    if (!a.contains(name)) return Sizes(3, otherwise);
    return {a[name][0], a[name][1], a[name][2]};
  };
  const Sizes stride = three("stride", 1), padding = three("padding", 0), dilation = three("dilation", 1);
  const std::int64_t groups = a.value("groups", 1), per_group = x[1].size(0) / groups;
  Sizes shape = {x[0].size(0)};
  for (int i = 0; i < 3; ++i) {
    const auto k = static_cast<std::size_t>(i);
    shape.push_back((x[0].size(1 + i) + 2 * padding[k] - dilation[k] * (x[1].size(2 + i) - 1) - 1) / stride[k] + 1);
  }
  shape.push_back(x[1].size(0));
  Array<T> y(shape);
  for_each_index(shape, [&](const Sizes& at) {
    T sum = x.size() > 2 ? x[2](at[4]) : T(0);
    for_each_index({x[1].size(2), x[1].size(3), x[1].size(4)}, [&](const Sizes& tap) {
      Sizes from = {at[0], 0, 0, 0, 0};
      for (std::size_t k = 0; k < 3; ++k) {
        from[k + 1] = at[k + 1] * stride[k] - padding[k] + tap[k] * dilation[k];
        if (from[k + 1] < 0 || from[k + 1] >= x[0].shape[k + 1]) return;
      }
      for (std::int64_t i = 0; i < x[1].size(1); ++i) {
        from[4] = at[4] / per_group * x[1].size(1) + i;
        sum += x[0].at(from) * x[1](at[4], i, tap[0], tap[1], tap[2]);
      }
    });
    y.at(at) = sum;
  });
  return Arrays<T>{y};
};

/// x [N, H, W, I], w [I, O / groups, kh, kw]: adds every pixel times the kernel to its window of the result.
inline const auto conv_transpose2d = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const auto stride = pair_of(a.value("stride", Attributes(1)));
  const auto padding = pair_of(a.value("padding", Attributes(0)));
  const auto more = pair_of(a.value("output_padding", Attributes(0)));
  const auto dilation = pair_of(a.value("dilation", Attributes(1)));
  const Array<T>& w = x[1];
  const std::int64_t groups = a.value("groups", 1), in_group = w.size(0) / groups, out_group = w.size(1);
  const std::int64_t h = (x[0].size(1) - 1) * stride[0] - 2 * padding[0] + dilation[0] * (w.size(2) - 1) + more[0] + 1;
  const std::int64_t wide =
      (x[0].size(2) - 1) * stride[1] - 2 * padding[1] + dilation[1] * (w.size(3) - 1) + more[1] + 1;
  Array<T> y({x[0].size(0), h, wide, out_group * groups});
  for_each_index(y.shape, [&](const Sizes& at) { y.at(at) = x.size() > 2 ? x[2](at[3]) : T(0); });
  for_each_index(x[0].shape, [&](const Sizes& at) {
    for_each_index({out_group, w.size(2), w.size(3)}, [&](const Sizes& tap) {
      const std::int64_t row = at[1] * stride[0] - padding[0] + tap[1] * dilation[0];
      const std::int64_t column = at[2] * stride[1] - padding[1] + tap[2] * dilation[1];
      if (row < 0 || row >= h || column < 0 || column >= wide) return;
      y(at[0], row, column, at[3] / in_group * out_group + tap[0]) += x[0].at(at) * w(at[3], tap[0], tap[1], tap[2]);
    });
  });
  return Arrays<T>{y};
};

inline const auto conv_transpose1d = []<class T>(const Arrays<T>& x, const Attributes& a) {
  Arrays<T> inputs = {reshaped(x[0], {x[0].size(0), 1, x[0].size(1), x[0].size(2)}),
                      reshaped(x[1], {x[1].size(0), x[1].size(1), 1, x[1].size(2)})};
  if (x.size() > 2) inputs.push_back(x[2]);
  const auto along = [&](const char* name, int otherwise) -> Attributes {
    return {otherwise, a.value(name, otherwise)};
  };
  const Array<T> y = conv_transpose2d(inputs, {{"stride", along("stride", 1)},
                                               {"padding", along("padding", 0)},
                                               {"output_padding", along("output_padding", 0)},
                                               {"dilation", along("dilation", 1)},
                                               {"groups", a.value("groups", 1)}})[0];
  return Arrays<T>{reshaped(y, {y.size(0), y.size(2), y.size(3)})};
};

/// x [N, ..., C], weight and bias [C] or none.
template <class T>
Arrays<T> normalized_groups(const Arrays<T>& x, std::int64_t groups, double eps) {
  const std::int64_t n = x[0].size(0), channels = x[0].size(-1), width = channels / groups;
  const std::int64_t places = n == 0 ? 0 : x[0].numel() / n / channels;
  const Array<T> flat = reshaped(x[0], {n, places, channels});
  Array<T> y(flat.shape);
  for_each_index({n, groups}, [&](const Sizes& at) {
    const T count = static_cast<double>(places * width);
    const auto each = [&](auto body) {
      for (std::int64_t p = 0; p < places; ++p) {
        for (std::int64_t c = at[1] * width; c < (at[1] + 1) * width; ++c) body(p, c);
      }
    };
    T mean = 0, variance = 0;
    each([&](std::int64_t p, std::int64_t c) { mean += flat(at[0], p, c); });
    mean = mean / count;
    each([&](std::int64_t p, std::int64_t c) {
      const T off = flat(at[0], p, c) - mean;
      variance += off * off;
    });
    const T inverse = T(1) / sqrt(variance / count + T(eps));
    each([&](std::int64_t p, std::int64_t c) {
      T value = (flat(at[0], p, c) - mean) * inverse;
      if (x.size() > 1) value = value * x[1](c);
      if (x.size() > 2) value = value + x[2](c);
      y(at[0], p, c) = value;
    });
  });
  return Arrays<T>{reshaped(y, x[0].shape)};
}
inline const auto group_norm = []<class T>(const Arrays<T>& x, const Attributes& a) {
  return normalized_groups(x, a["groups"].get<std::int64_t>(), a.value("eps", 1e-5));
};
inline const auto instance_norm = []<class T>(const Arrays<T>& x, const Attributes&) {
  return normalized_groups(x, x[0].size(-1), 1e-5);
};

/// gates [T, N, G], weight [G, H], bias [G], h and c [N, H], and optionally lengths [N].
inline const auto recurrent = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::string cell = a["cell"];
  const bool lstm = cell == "lstm", reverse = a.value("reverse", false);
  const std::int64_t steps = x[0].size(0), n = x[0].size(1), width = x[1].size(1);
  Array<T> y({steps, n, width}), h = x[3], c = lstm ? x[4] : Array<T>({n, width});
  for (std::int64_t k = 0; k < steps; ++k) {
    const std::int64_t t = reverse ? steps - 1 - k : k;
    for (std::int64_t i = 0; i < n; ++i) {
      if (x.size() > 5 && static_cast<double>(t) >= value_of(x[5](i))) continue;
      const auto state = [&](std::int64_t gate) {
        T sum = x[2](gate);
        for (std::int64_t j = 0; j < width; ++j) sum += h(i, j) * x[1](gate, j);
        return sum;
      };
      std::vector<T> next;
      for (std::int64_t j = 0; j < width; ++j) {
        const auto gate = [&](std::int64_t number) {
          return T(x[0](t, i, number * width + j) + state(number * width + j));
        };
        if (lstm) {
          const T kept = sigmoid(gate(1)) * c(i, j) + sigmoid(gate(0)) * tanh(gate(2));
          c(i, j) = kept;
          next.push_back(sigmoid(gate(3)) * tanh(kept));
        } else if (cell == "gru") {
          const T r = sigmoid(gate(0)), z = sigmoid(gate(1));
          const T fresh = tanh(T(x[0](t, i, 2 * width + j) + r * state(2 * width + j)));
          next.push_back((T(1) - z) * fresh + z * h(i, j));
        } else {
          const T sum = gate(0);
          next.push_back(cell == "tanh" ? T(tanh(sum)) : value_of(sum) > 0 ? sum : T(0));
        }
      }
      for (std::int64_t j = 0; j < width; ++j) y(t, i, j) = h(i, j) = next[static_cast<std::size_t>(j)];
    }
  }
  return lstm ? Arrays<T>{y, h, c} : Arrays<T>{y, h};
};

}  // namespace temper::reference
