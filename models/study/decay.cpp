#include "models/study/decay.hpp"

#include <cmath>
#include <cstring>

#include <temper/train/print.hpp>

namespace temper::study {

namespace {

using Parameters = std::vector<Parameter>;

double distance(const Parameters& a, const Parameters& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = a[i].value().values<float>(), y = b[i].value().values<float>();
    for (std::size_t j = 0; j < x.size(); ++j) sum += (double{x[j]} - y[j]) * (double{x[j]} - y[j]);
  }
  return std::sqrt(sum);
}

bool same_bits(const Parameters& a, const Parameters& b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto x = a[i].value().values<float>(), y = b[i].value().values<float>();
    if (std::memcmp(x.data(), y.data(), x.size_bytes()) != 0) return false;
  }
  return true;
}

/// The weights after 1000 updates of AdamW.
Tensor train(const Tensor& start, const std::vector<Tensor>& gradients, double lr, double weight_decay,
             optim::Rounding rounding) {
  Parameter weights(start.clone(), Role::weight);
  optim::AdamW adamw({weights}, {.lr = lr, .weight_decay = weight_decay, .rounding = rounding});
  for (std::size_t k = 0; k < 1000; ++k) {
    weights.set_gradient(gradients[k % gradients.size()].clone());
    adamw.step();
  }
  return weights.value();
}

}  // namespace

std::vector<DecayComparison> study_decay(const Bench& bench, double decay, Step updates) {
  const std::uint64_t seed = bench.scale().first_seed;
  const auto run = [&](const Recipe& recipe, double value) {
    return bench.train(recipe, recipe.lr, value, updates, seed).parameters;
  };
  const auto name = [](const Recipe& recipe, double value) { return formatted("{}, {:g}", recipe.name, value); };

  std::vector<DecayComparison> result;
  const auto compare = [&](const Recipe& first, double first_decay, const Recipe& second, double second_decay) {
    const Parameters a = run(first, first_decay), b = run(second, second_decay), none = run(first, 0.0);
    result.push_back({first.name, first_decay, name(first, first_decay), name(second, second_decay), same_bits(a, b),
                      distance(a, b), distance(a, none)});
  };
  compare(sgd(), decay, sgdw(), decay);
  compare(sgd(), decay, compensated_sgd(), decay);
  // A rate that is a power of two rounds nothing, so the two orders of the same products and sums are one.
  Recipe exact = sgd(), exact_decoupled = sgdw();
  exact.lr = exact_decoupled.lr = 0.0625;
  exact.name = exact_sgd;
  exact_decoupled.name += ", lr 1/16";
  compare(exact, decay, exact_decoupled, decay);
  compare(momentum_sgd(), decay, momentum_sgdw(), decay);
  // With momentum 0.9 an input contributes 1 / (1 - 0.9) times its value in the long run: ten times.
  compare(momentum_sgd(), decay, momentum_sgdw(), 10 * decay);
  compare(adam(), decay, adamw(), decay);
  for (const auto& [first, second] : {std::pair{sgd(), sgdw()}, std::pair{adam(), adamw()}}) {
    compare(first, 0.0, second, 0.0);
  }
  return result;
}

std::vector<RoundingResult> study_rounding(const std::vector<double>& rates, double weight_decay,
                                           std::int64_t weights) {
  const Tensor start = uniform({weights}, 1.0f, 2.0f);
  std::vector<Tensor> gradients;
  for (int i = 0; i < 50; ++i) gradients.push_back(normal({weights}));

  std::vector<RoundingResult> result;
  for (const double lr : rates) {
    const double decayed = 1.0 - std::pow(1.0 - lr * weight_decay, 1000);
    const auto fraction = [&](optim::Rounding rounding) {
      const Tensor with = train(start, gradients, lr, weight_decay, rounding);
      const Tensor without = train(start, gradients, lr, 0.0, rounding);
      double actual = 0.0, expected = 0.0;
      for (std::int64_t i = 0; i < weights; ++i) {
        actual += double{without.data<float>()[i]} - with.data<float>()[i];
        expected += decayed * start.data<float>()[i];
      }
      return actual / expected;
    };
    result.push_back({.lr = lr,
                      .decay = lr * weight_decay,
                      .torch_compat = fraction(optim::Rounding::torch_compat),
                      .once = fraction(optim::Rounding::once),
                      .compensated = fraction(optim::Rounding::compensated)});
  }
  return result;
}

}  // namespace temper::study
