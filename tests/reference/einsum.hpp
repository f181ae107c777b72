#pragma once

// Einsum and batched products, one term at a time.

#include <map>
#include <string>

#include "tests/reference/elementwise.hpp"

namespace temper::reference {

inline const auto einsum = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const std::string equation = a["equation"];
  const std::string left = equation.substr(0, equation.find("->"));
  std::vector<std::string> operands(1);
  std::map<char, std::int64_t> sizes;
  std::map<char, int> uses;
  for (const char c : left) {
    if (c == ',') {
      operands.emplace_back();
      continue;
    }
    sizes[c] = x[operands.size() - 1].size(static_cast<int>(operands.back().size()));
    operands.back() += c;
    ++uses[c];
  }
  std::string result, summed;
  if (left.size() < equation.size()) {
    result = equation.substr(left.size() + 2);
  } else {
    for (const auto& [letter, count] : uses) result += count == 1 ? std::string(1, letter) : "";
  }
  for (const auto& [letter, size] : sizes) {
    if (result.find(letter) == std::string::npos) summed += letter;
  }
  const auto sizes_of = [&](const std::string& letters) {
    Sizes all;
    for (const char c : letters) all.push_back(sizes[c]);
    return all;
  };
  Array<T> y(sizes_of(result));
  for_each_index(y.shape, [&](const Sizes& at) {
    T total = 0;
    for_each_index(sizes_of(summed), [&](const Sizes& term) {
      T product = 1;
      for (std::size_t i = 0; i < operands.size(); ++i) {
        Sizes index;
        for (const char c : operands[i]) {
          const std::size_t kept = result.find(c);
          index.push_back(kept != std::string::npos ? at[kept] : term[summed.find(c)]);
        }
        product = product * x[i].at(index);
      }
      total += product;
    });
    y.at(at) = total;
  });
  return Arrays<T>{y};
};

/// a [..., m, k] b [..., k, n], leading axes broadcast.
inline const auto broadcast_matmul = []<class T>(const Arrays<T>& x, const Attributes& a) {
  const bool transpose_a = a.value("transpose_a", false), transpose_b = a.value("transpose_b", false);
  const auto leading = [](const Array<T>& m) { return Sizes(m.shape.begin(), m.shape.end() - 2); };
  Sizes shape = broadcast(leading(x[0]), leading(x[1]));
  const std::size_t rank = shape.size();
  shape.push_back(x[0].size(transpose_a ? -1 : -2));
  shape.push_back(x[1].size(transpose_b ? -2 : -1));
  Array<T> y(shape);
  for_each_index(shape, [&](const Sizes& at) {
    T sum = 0;
    for (std::int64_t k = 0; k < x[0].size(transpose_a ? -2 : -1); ++k) {
      Sizes left = at, right = at;
      left[rank] = transpose_a ? k : at[rank];
      left[rank + 1] = transpose_a ? at[rank] : k;
      right[rank] = transpose_b ? at[rank + 1] : k;
      right[rank + 1] = transpose_b ? k : at[rank + 1];
      sum += x[0].at(left) * x[1].at(right);
    }
    y.at(at) = sum;
  });
  return Arrays<T>{y};
};

}  // namespace temper::reference
