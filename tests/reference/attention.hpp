#pragma once

#include <cmath>

#include "tests/reference/loss.hpp"

namespace temper::reference {

/// q [..., T, D], k [..., S, D], v [..., S, E], a mask of the keys each query may see that broadcasts to [..., T, S]
/// -> [..., T, E]. Source: Vaswani et al., "Attention is all you need" (2017).
inline const auto scaled_dot_product_attention = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const Array<T>&q = x[0], &k = x[1], &v = x[2];
  const double scale = a.value("scale", 1 / std::sqrt(static_cast<double>(q.size(-1))));
  const bool causal = a.value("causal", false);
  Sizes shape = q.shape, rows = q.shape;
  shape.back() = v.size(-1);
  rows.pop_back();
  Array<T> y(shape);
  for_each_index(rows, [&](const Sizes& row) {
    // An index whose last two axes are set where it is used.
    Sizes index = row;
    index.push_back(0);
    const auto at = [&](const Array<T>& array, std::int64_t i, std::int64_t j) -> const T& {
      *(index.end() - 2) = i;
      index.back() = j;
      return array.at(index);
    };
    const std::int64_t i = row.back();
    std::vector<T> scores;
    Sizes seen;
    for (std::int64_t j = 0; j < k.size(-2); ++j) {
      if (causal && j > i) continue;
      if (x.size() > 3 && value_of(at(x[3], i, j)) == 0) continue;
      T score = 0;
      for (std::int64_t d = 0; d < q.size(-1); ++d) score += at(q, i, d) * at(k, j, d);
      scores.push_back(score * T(scale));
      seen.push_back(j);
    }
    scores = softmax_of(scores);
    for (std::int64_t e = 0; e < v.size(-1); ++e) {
      T sum = 0;
      for (std::size_t j = 0; j < seen.size(); ++j) sum += scores[j] * at(v, seen[j], e);
      at(y, i, e);
      y.at(index) = sum;
    }
  });
  return Arrays<T>{y};
};

}  // namespace temper::reference
