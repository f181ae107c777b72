// A step of tables whose gradients are rows: bags of rows, their backward, the optimizer. LibTorch's side is
// sparse_torch.cpp.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include <temper/temper.hpp>

#include "bench/sparse_shapes.hpp"

namespace temper::bench {

namespace {

using namespace sparse_shapes;
using benchmark::State;

/// The tables, batches of ids, and weights that make a loss of the result.
struct Fixture {
  explicit Fixture(bool sparse) {
    manual_seed(1);
    for (std::int64_t table = 0; table < tables; ++table) {
      bags.emplace_back(rows, width, nn::EmbeddingBagOptions{.mode = BagMode::sum, .sparse = sparse});
      parameters.push_back(bags.back().weight);
      weights.push_back(normal({batch, width}) * 1e-3f);
      for (std::int64_t which = 0; which < batches; ++which) {
        const auto numbers = sparse_shapes::ids(table, which);
        Tensor chosen = empty({batch, lookups}, Dtype::i64);
        std::ranges::copy(numbers, chosen.mutable_values<std::int64_t>().begin());
        ids.push_back(chosen);
      }
    }
  }

  Tensor loss(std::int64_t which) const {
    Tensor total;
    for (std::size_t table = 0; table < bags.size(); ++table) {
      const Tensor one = sum(bags[table](ids[table * batches + static_cast<std::size_t>(which)]) * weights[table]);
      total = total.defined() ? total + one : one;
    }
    return total;
  }

  std::vector<nn::EmbeddingBag> bags;
  std::vector<Parameter> parameters;
  std::vector<Tensor> weights, ids;
};

Fixture& sparse() {
  static Fixture fixture(true);
  return fixture;
}

template <class Optimizer, class Options>
void step(State& state, Fixture& fixture, const Options& options) {
  Optimizer optimizer(fixture.parameters, options);
  std::int64_t k = 0;
  const auto once = [&] {
    Tape tape;
    tape.backward(fixture.loss(k++ % batches));
    optimizer.step();
  };
  for (std::int64_t warm = 0; warm < batches; ++warm) once();
  for (auto _ : state) once();
}

void forward(State& state) {
  std::int64_t k = 0;
  for (auto _ : state) benchmark::DoNotOptimize(sparse().loss(k++ % batches));
}
void backward(State& state) {
  std::int64_t k = 0;
  for (auto _ : state) {
    Tape tape;
    tape.backward(sparse().loss(k++ % batches));
    discard_gradients(sparse().parameters);
  }
}
void sgd(State& state) { step<optim::SGD>(state, sparse(), optim::SGDOptions{.lr = 1e-3}); }
void row_wise_adagrad(State& state) {
  step<optim::Adagrad>(state, sparse(), optim::AdagradOptions{.lr = 1e-3, .row_wise = true});
}
void adam_lazy(State& state) { step<optim::Adam>(state, sparse(), optim::AdamOptions{}); }
void adamw_exact(State& state) { step<optim::AdamW>(state, sparse(), optim::AdamWOptions{.rows = optim::Rows::exact}); }
/// Every row of tables that are not sparse.
void adamw_dense(State& state) {
  Fixture fixture(false);
  step<optim::AdamW>(state, fixture, optim::AdamWOptions{});
}

#define TEMPER_BENCHMARK(name) BENCHMARK(name)->UseRealTime()->Unit(benchmark::kMillisecond)
TEMPER_BENCHMARK(forward);
TEMPER_BENCHMARK(backward);
TEMPER_BENCHMARK(sgd);
TEMPER_BENCHMARK(row_wise_adagrad);
TEMPER_BENCHMARK(adam_lazy);
TEMPER_BENCHMARK(adamw_exact);
TEMPER_BENCHMARK(adamw_dense);

}  // namespace

}  // namespace temper::bench
