#pragma once

#include "tests/reference/array.hpp"
#include "tests/reference/elementwise.hpp"

namespace temper::reference {

/// a [..., M, K], b [..., K, N] -> [..., M, N]; either may be stored transposed.
inline const auto matmul = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const Array<T>&left = x[0], &right = x[1];
  const bool transpose_a = a.value("transpose_a", false), transpose_b = a.value("transpose_b", false);
  Sizes shape = left.shape;
  shape[shape.size() - 2] = left.size(transpose_a ? -1 : -2);
  shape[shape.size() - 1] = right.size(transpose_b ? -2 : -1);
  const std::int64_t depth = left.size(transpose_a ? -2 : -1);
  Array<T> y(shape);
  for_each_index(shape, [&](const Sizes& index) {
    Sizes i = index, j = index;
    std::int64_t& k_of_a = *(i.end() - (transpose_a ? 2 : 1));
    std::int64_t& k_of_b = *(j.end() - (transpose_b ? 1 : 2));
    *(i.end() - (transpose_a ? 1 : 2)) = *(index.end() - 2);
    *(j.end() - (transpose_b ? 2 : 1)) = *(index.end() - 1);
    for (std::int64_t k = 0; k < depth; ++k) {
      k_of_a = k_of_b = k;
      y.at(index) += left.at(i) * right.at(j);
    }
  });
  return Arrays<T>{y};
};

/// x [..., I], w [O, I], b [O] -> [..., O]
inline const auto linear = []<class T>(const Arrays<T>& x, const Attributes&) {
  Sizes shape = x[0].shape;
  shape.back() = x[1].size(0);
  Array<T> y(shape);
  for_each_index(shape, [&](const Sizes& index) {
    T sum = x.size() > 2 ? x[2](index.back()) : T(0);
    Sizes i = index;
    for (i.back() = 0; i.back() < x[1].size(1); ++i.back()) sum += x[0].at(i) * x[1](index.back(), i.back());
    y.at(index) = sum;
  });
  return Arrays<T>{y};
};

/// A reference that applies another one to the result of `linear`.
template <class F>
auto of_linear(F f) {
  return [f]<class T>(const Arrays<T>& x, const Attributes& a) { return f(linear(x, a), a); };
}

inline const auto linear_gelu =
    of_linear([](const auto& x, const Attributes& a) { return a.value("tanh", false) ? gelu_tanh(x, a) : gelu(x, a); });
inline const auto linear_silu = of_linear(silu);

}  // namespace temper::reference
