// LibTorch's side of optim.cpp: clip_grad_norm_, AdamW::step and zero_grad, as in a usual training loop.

#include <benchmark/benchmark.h>
#include <omp.h>
#include <torch/torch.h>

#include "bench/parameter_lists.hpp"

namespace temper::bench {

namespace {

using benchmark::State;

struct Fixture {
  explicit Fixture(const Shapes& shapes) {
    at::set_num_threads(omp_get_max_threads());  // default: one
    for (const auto& shape : shapes) {
      parameters.push_back(torch::ones(shape).requires_grad_());
      gradients.push_back(torch::full(shape, 1e-3f));
    }
    set_gradients();
  }
  void set_gradients() {
    for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].mutable_grad() = gradients[i];
  }
  std::vector<torch::Tensor> parameters, gradients;
};

Fixture& gpt2() {
  static Fixture fixture(gpt2_shapes());
  return fixture;
}
Fixture& small() {
  static Fixture fixture(many_small_shapes());
  return fixture;
}

/// `writes_zeros`: zero_grad() as by default in this version; else as zero_grad(set_to_none=True), which is faster.
void step(State& state, Fixture& fixture, bool clips, bool writes_zeros) {
  torch::optim::AdamW adamw(fixture.parameters, torch::optim::AdamWOptions(1e-3).weight_decay(0.01));
  const auto once = [&] {
    if (!writes_zeros) fixture.set_gradients();
    if (clips) torch::nn::utils::clip_grad_norm_(fixture.parameters, 1.0);
    adamw.step();
    if (writes_zeros) {
      adamw.zero_grad();
    } else {
      for (auto& parameter : fixture.parameters) parameter.mutable_grad().reset();
    }
  };
  fixture.set_gradients();
  once();  // allocates the moments
  for (auto _ : state) once();
}

void torch_gpt2_adamw_clipped(State& state) { step(state, gpt2(), true, true); }
void torch_gpt2_adamw_clipped_set_to_none(State& state) { step(state, gpt2(), true, false); }
void torch_small_adamw_clipped(State& state) { step(state, small(), true, true); }
void torch_small_adamw(State& state) { step(state, small(), false, true); }
void torch_small_adamw_set_to_none(State& state) { step(state, small(), false, false); }

#define TEMPER_BENCHMARK(name) BENCHMARK(name)->UseRealTime()->Unit(benchmark::kMillisecond)
TEMPER_BENCHMARK(torch_gpt2_adamw_clipped);
TEMPER_BENCHMARK(torch_gpt2_adamw_clipped_set_to_none);
TEMPER_BENCHMARK(torch_small_adamw_clipped);
TEMPER_BENCHMARK(torch_small_adamw);
TEMPER_BENCHMARK(torch_small_adamw_set_to_none);

}  // namespace

}  // namespace temper::bench
