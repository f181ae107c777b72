#pragma once

#include <cmath>

#include "tests/reference/loss.hpp"

namespace temper::reference {

/// q [B, H, Tq, D], k [B, H, Tk, D], v [B, H, Tk, D], a mask [Tq, Tk] of the keys each query may see -> [B, H, Tq, D].
/// Source: Vaswani et al., "Attention is all you need" (2017).
inline const auto scaled_dot_product_attention = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const Array<T>&q = x[0], &k = x[1], &v = x[2];
  const std::int64_t queries = q.size(2), keys = k.size(2), depth = q.size(3);
  const bool causal = a.value("causal", false);
  Array<T> y({q.size(0), q.size(1), queries, v.size(3)});
  for_each_index({q.size(0), q.size(1), queries}, [&](const Sizes& row) {
    const std::int64_t b = row[0], h = row[1], i = row[2];
    std::vector<T> scores;
    Sizes seen;
    for (std::int64_t j = 0; j < keys; ++j) {
      if (causal && j > i) continue;
      if (x.size() > 3 && value_of(x[3](i, j)) == 0) continue;
      T score = 0;
      for (std::int64_t d = 0; d < depth; ++d) score += q(b, h, i, d) * k(b, h, j, d);
      scores.push_back(score * T(1 / std::sqrt(static_cast<double>(depth))));
      seen.push_back(j);
    }
    scores = softmax_of(scores);
    for (std::int64_t d = 0; d < v.size(3); ++d) {
      for (std::size_t j = 0; j < seen.size(); ++j) y(b, h, i, d) += scores[j] * v(b, h, seen[j], d);
    }
  });
  return Arrays<T>{y};
};

}  // namespace temper::reference
