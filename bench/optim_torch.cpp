// LibTorch's half of optim.cpp: clip_grad_norm_, AdamW, and the gradients cleared, as its users write it.

#include <benchmark/benchmark.h>
#include <omp.h>
#include <torch/torch.h>

#include "bench/parameter_lists.hpp"

namespace temper::bench {

namespace {

using benchmark::State;

struct Fixture {
  explicit Fixture(const Shapes& shapes) {
    at::set_num_threads(omp_get_max_threads());  // else it takes one
    for (const auto& shape : shapes) {
      parameters.push_back(torch::ones(shape).requires_grad_());
      gradients.push_back(torch::full(shape, 1e-3f));
    }
    arm();
  }
  void arm() {
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

/// `writes_zeros`: what zero_grad does in this version; else the gradients are let go, which is faster.
void step(State& state, Fixture& fixture, bool clips, bool writes_zeros) {
  torch::optim::AdamW adamw(fixture.parameters, torch::optim::AdamWOptions(1e-3).weight_decay(0.01));
  const auto once = [&] {
    if (!writes_zeros) fixture.arm();
    if (clips) torch::nn::utils::clip_grad_norm_(fixture.parameters, 1.0);
    adamw.step();
    if (writes_zeros) {
      adamw.zero_grad();
    } else {
      for (auto& parameter : fixture.parameters) parameter.mutable_grad().reset();
    }
  };
  fixture.arm();
  once();  // makes the moments
  for (auto _ : state) once();
}

void torch_gpt2_adamw_clipped(State& state) { step(state, gpt2(), true, true); }
void torch_gpt2_adamw_clipped_let_go(State& state) { step(state, gpt2(), true, false); }
void torch_small_adamw_clipped(State& state) { step(state, small(), true, true); }
void torch_small_adamw(State& state) { step(state, small(), false, true); }
void torch_small_adamw_let_go(State& state) { step(state, small(), false, false); }

#define TEMPER_BENCHMARK(name) BENCHMARK(name)->UseRealTime()->Unit(benchmark::kMillisecond)
TEMPER_BENCHMARK(torch_gpt2_adamw_clipped);
TEMPER_BENCHMARK(torch_gpt2_adamw_clipped_let_go);
TEMPER_BENCHMARK(torch_small_adamw_clipped);
TEMPER_BENCHMARK(torch_small_adamw);
TEMPER_BENCHMARK(torch_small_adamw_let_go);

}  // namespace

}  // namespace temper::bench
