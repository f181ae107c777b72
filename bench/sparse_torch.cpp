// LibTorch's side of sparse.cpp: EmbeddingBag with sparse gradients, SGD, and SparseAdam, which PyTorch has in Python
// alone: its steps are done here by the same operations.

#include <benchmark/benchmark.h>
#include <omp.h>
#include <torch/torch.h>

#include <cmath>

#include "bench/sparse_shapes.hpp"

namespace temper::bench {

namespace {

using namespace sparse_shapes;
using benchmark::State;

struct Fixture {
  Fixture() {
    at::set_num_threads(omp_get_max_threads());  // default: one
    torch::manual_seed(1);
    for (std::int64_t table = 0; table < tables; ++table) {
      bags.emplace_back(torch::nn::EmbeddingBagOptions(rows, width).mode(torch::kSum).sparse(true));
      parameters.push_back(bags.back()->weight);
      weights.push_back(torch::randn({batch, width}) * 1e-3);
      for (std::int64_t which = 0; which < batches; ++which) {
        const auto numbers = sparse_shapes::ids(table, which);
        ids.push_back(torch::tensor(numbers, torch::kInt64).reshape({batch, lookups}));
      }
    }
  }

  torch::Tensor loss(std::int64_t which) {
    torch::Tensor total;
    for (std::size_t table = 0; table < bags.size(); ++table) {
      const auto one = (bags[table](ids[table * batches + static_cast<std::size_t>(which)]) * weights[table]).sum();
      total = total.defined() ? total + one : one;
    }
    return total;
  }
  void clear() {
    for (auto& parameter : parameters) parameter.mutable_grad().reset();
  }

  std::vector<torch::nn::EmbeddingBag> bags;
  std::vector<torch::Tensor> parameters, weights, ids;
};

Fixture& fixture() {
  static Fixture one;
  return one;
}

/// Source: torch/optim/_functional.py, sparse_adam.
class SparseAdam {
 public:
  explicit SparseAdam(const std::vector<torch::Tensor>& parameters) : parameters_(parameters) {
    for (const auto& parameter : parameters) {
      m_.push_back(torch::zeros_like(parameter));
      v_.push_back(torch::zeros_like(parameter));
    }
  }

  void step() {
    const torch::NoGradGuard no_grad;
    ++t_;
    const double rate = 1e-3 * std::sqrt(1 - std::pow(beta2, t_)) / (1 - std::pow(beta1, t_));
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const auto gradient = parameters_[i].grad().coalesce();
      const auto indices = gradient._indices(), values = gradient._values();
      const auto sparse = [&](const torch::Tensor& x) {
        return torch::sparse_coo_tensor(indices, x, gradient.sizes());
      };
      const auto m = m_[i].sparse_mask(gradient)._values(), v = v_[i].sparse_mask(gradient)._values();
      auto m_change = values.sub(m).mul_(1 - beta1), v_change = values.pow(2).sub_(v).mul_(1 - beta2);
      m_[i].add_(sparse(m_change));
      v_[i].add_(sparse(v_change));
      const auto numerator = m_change.add_(m), denominator = v_change.add_(v).sqrt_().add_(1e-8);
      parameters_[i].add_(sparse(numerator.div_(denominator).mul_(-rate)));
    }
  }

 private:
  static constexpr double beta1 = 0.9, beta2 = 0.999;
  std::vector<torch::Tensor> parameters_, m_, v_;
  int t_ = 0;
};

template <class Optimizer>
void step(State& state, Optimizer& optimizer) {
  std::int64_t k = 0;
  const auto once = [&] {
    fixture().loss(k++ % batches).backward();
    optimizer.step();
    fixture().clear();
  };
  for (std::int64_t warm = 0; warm < batches; ++warm) once();
  for (auto _ : state) once();
}

void torch_forward(State& state) {
  const torch::NoGradGuard no_grad;
  std::int64_t k = 0;
  for (auto _ : state) benchmark::DoNotOptimize(fixture().loss(k++ % batches));
}
void torch_sgd(State& state) {
  torch::optim::SGD sgd(fixture().parameters, torch::optim::SGDOptions(1e-3));
  step(state, sgd);
}
void torch_sparse_adam(State& state) {
  SparseAdam adam(fixture().parameters);
  step(state, adam);
}

#define TEMPER_BENCHMARK(name) BENCHMARK(name)->UseRealTime()->Unit(benchmark::kMillisecond)
TEMPER_BENCHMARK(torch_forward);
TEMPER_BENCHMARK(torch_sgd);
TEMPER_BENCHMARK(torch_sparse_adam);

}  // namespace

}  // namespace temper::bench
