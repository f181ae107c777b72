#pragma once

// A sparse parameter, its gradients step by step, and the optimizers that keep its rows exact.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include <temper/optim/optim.hpp>

#include "tests/optim/numbers_internal.hpp"

namespace temper_test {

using namespace temper;
using namespace temper::optim;

constexpr std::int64_t rows = 40, width = 13;

inline Tensor start() {
  Numbers numbers;
  Tensor x = empty({rows, width});
  for (float& value : x.mutable_values<float>()) value = numbers();
  return x;
}

inline Parameter table(bool sparse, const Tensor& value = start()) {
  Parameter parameter = Parameter(value.clone(), Role::embedding).named("table");
  if (sparse) parameter.make_sparse();
  return parameter;
}

/// The gradient of step k: low rows often have one, the highest seldom, the last never.
inline RowGradient gradient(Step k) {
  std::mt19937 generator(static_cast<unsigned>(k) + 1);
  std::vector<std::int64_t> chosen;
  for (std::int64_t row = 0; row + 1 < rows; ++row) {
    if (generator() % static_cast<unsigned>(1 + row * row / 8) == 0) chosen.push_back(row);
  }
  RowGradient result{empty({static_cast<std::int64_t>(chosen.size())}, Dtype::i64),
                     empty({static_cast<std::int64_t>(chosen.size()), width})};
  std::ranges::copy(chosen, result.rows.mutable_values<std::int64_t>().begin());
  for (float& x : result.values.mutable_values<float>()) {
    x = std::ldexp(static_cast<float>(static_cast<std::int32_t>(generator())),
                   -31 - static_cast<int>(generator() % 12));
  }
  return result;
}

inline void give(Parameter& parameter, Step k) {
  if (parameter.sparse()) {
    parameter.set_row_gradient(gradient(k));
  } else {
    parameter.set_gradient(gradient(k).dense(rows));
  }
}

inline bool same(const Tensor& a, const Tensor& b) { return std::ranges::equal(a.values<float>(), b.values<float>()); }

using Make = std::function<std::unique_ptr<Optimizer>(const Parameter&)>;

inline const Schedule rate = 0.1 * warmup(5).then(cosine(200)), decay = 0.1 * cosine(300);

inline std::vector<Make> exact_ones() {
  return {
      [](const Parameter& p) {
        return std::make_unique<AdamW>(
            Groups{p},
            AdamWOptions{
                .lr = rate, .beta1 = 0.9 + 0.05 * linear_decay(50), .weight_decay = decay, .rows = Rows::exact});
      },
      [](const Parameter& p) {
        return std::make_unique<Adam>(Groups{p}, AdamOptions{.lr = rate, .l2 = decay, .rows = Rows::exact});
      },
      [](const Parameter& p) {
        return std::make_unique<SGD>(Groups{p},
                                     SGDOptions{.lr = rate, .momentum = 0.9, .nesterov = true, .rows = Rows::exact});
      },
      [](const Parameter& p) {
        return std::make_unique<SGDW>(
            Groups{p},
            SGDWOptions{.lr = rate, .momentum = 0.9, .dampening = 0.5, .weight_decay = decay, .rows = Rows::exact});
      },
      [](const Parameter& p) {
        return std::make_unique<SGDW>(Groups{p}, SGDWOptions{.lr = rate, .weight_decay = decay, .rows = Rows::exact});
      },
      [](const Parameter& p) {
        return std::make_unique<SGD>(Groups{p}, SGDOptions{.lr = rate, .l2 = decay, .rows = Rows::exact});
      },
  };
}

}  // namespace temper_test
