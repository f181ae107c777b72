// Optimizer steps, and a plain loop over the same memory to compare them with. LibTorch's side is optim_torch.cpp.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <memory>
#include <optional>

#include <temper/optim/optim.hpp>

#include "bench/loops.hpp"
#include "bench/parameter_lists.hpp"

namespace temper::bench {

namespace {

using benchmark::Counter;
using benchmark::State;

/// Parameters with gradients.
class Fixture {
 public:
  explicit Fixture(const Shapes& shapes) {
    for (const auto& shape : shapes) {
      const Shape s(std::span<const std::int64_t>{shape});
      parameters_.emplace_back(full(s, 1.0f), Role::weight);
      gradients_.push_back(full(s, 1e-3f));
      count_ += s.numel();
    }
  }
  /// Sets the gradients again, which a step consumes. The timed loop includes this: a shared handle per tensor.
  void set_gradients() {
    for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].set_gradient(gradients_[i]);
  }
  const std::vector<Parameter>& parameters() const { return parameters_; }
  const std::vector<Tensor>& gradients() const { return gradients_; }
  std::int64_t count() const { return count_; }

 private:
  std::vector<Parameter> parameters_;
  std::vector<Tensor> gradients_;
  std::int64_t count_ = 0;
};

// Created on first use and kept, so that no page faults are timed when repetitions run in random order.
Fixture& large() {
  static Fixture fixture(Shapes(1, {one_large}));
  return fixture;
}
Fixture& gpt2() {
  static Fixture fixture(gpt2_shapes());
  return fixture;
}
Fixture& small() {
  static Fixture fixture(many_small_shapes());
  return fixture;
}

/// `bytes` is what a step reads and writes per element.
void traffic(State& state, std::int64_t count, int bytes) {
  state.counters["bytes"] = bytes;
  state.counters["GB/s"] = Counter(static_cast<double>(state.iterations() * count * bytes) * 1e-9, Counter::kIsRate);
}

void step(State& state, Fixture& fixture, optim::Optimizer& optimizer, int bytes) {
  fixture.set_gradients();
  optimizer.step();  // allocates the moments
  for (auto _ : state) {
    fixture.set_gradients();
    optimizer.step();
  }
  traffic(state, fixture.count(), bytes);
}

/// The moments of the plain loop.
float* moments(std::size_t which) {
  static std::array<Tensor, 2> tensors;
  if (!tensors[which].defined()) tensors[which] = zeros({one_large});
  return tensors[which].mutable_data<float>();
}

void large_loop(State& state) {
  Tensor p = large().parameters()[0].value();
  const float* g = large().gradients()[0].data<float>();
  float *m = moments(0), *v = moments(1), *x = p.mutable_data<float>();
  for (auto _ : state) sweep(x, g, m, v, one_large);
  traffic(state, one_large, 28);
}
void large_loop_and_read(State& state) {
  Tensor p = large().parameters()[0].value();
  const float* g = large().gradients()[0].data<float>();
  float *m = moments(0), *v = moments(1), *x = p.mutable_data<float>();
  for (auto _ : state) {
    benchmark::DoNotOptimize(read(g, one_large));
    sweep(x, g, m, v, one_large);
  }
  traffic(state, one_large, 32);
}

using optim::AdamW;
using optim::NonFinite;

void large_adamw(State& state) {
  static AdamW adamw(large().parameters(), {.nonfinite = NonFinite::unchecked});
  step(state, large(), adamw, 28);
}
void large_adamw_bf16(State& state) {
  static AdamW adamw(large().parameters(), {.nonfinite = NonFinite::unchecked, .moments = optim::Moments::bf16});
  step(state, large(), adamw, 20);
}
void large_adamw_8bit(State& state) {
  static AdamW adamw(large().parameters(), {.nonfinite = NonFinite::unchecked, .moments = optim::Moments::bits8});
  step(state, large(), adamw, 16);
}
/// Another optimizer; `bytes` is what a step reads and writes per element.
template <class Optimizer, class Options>
void large_other(State& state, const Options& options, int bytes) {
  Optimizer optimizer(large().parameters(), options);
  step(state, large(), optimizer, bytes);
}
void large_nadamw(State& state) {
  large_other<AdamW>(state, optim::AdamWOptions{.nesterov = true, .nonfinite = NonFinite::unchecked}, 28);
}
void large_cautious_adamw(State& state) {
  large_other<AdamW>(state, optim::AdamWOptions{.cautious = true, .nonfinite = NonFinite::unchecked}, 44);
}
void large_ademamix(State& state) {
  large_other<optim::AdEMAMix>(state, optim::AdEMAMixOptions{.nonfinite = NonFinite::unchecked}, 36);
}
void large_adopt(State& state) {
  large_other<optim::ADOPT>(state, optim::ADOPTOptions{.nonfinite = NonFinite::unchecked}, 28);
}
void large_schedule_free(State& state) {
  large_other<optim::ScheduleFree>(state, optim::ScheduleFreeOptions{.nonfinite = NonFinite::unchecked}, 28);
}
void large_adadelta(State& state) {
  large_other<optim::Adadelta>(state, optim::AdadeltaOptions{.nonfinite = NonFinite::unchecked}, 28);
}
void large_rprop(State& state) {
  large_other<optim::Rprop>(state, optim::RpropOptions{.nonfinite = NonFinite::unchecked}, 28);
}
void large_lars(State& state) {
  large_other<optim::LARS>(state, optim::LARSOptions{.lr = 0.1, .nonfinite = NonFinite::unchecked}, 28);
}
void large_prodigy(State& state) {
  large_other<optim::Prodigy>(state, optim::ProdigyOptions{.nonfinite = NonFinite::unchecked}, 56);
}
void large_cautious_decay(State& state) {
  large_other<AdamW>(state, optim::AdamWOptions{.cautious_decay = true, .nonfinite = NonFinite::unchecked}, 28);
}
void large_lion(State& state) {
  large_other<optim::Lion>(state, optim::LionOptions{.nonfinite = NonFinite::unchecked}, 20);
}
void large_cautious_lion(State& state) {
  large_other<optim::Lion>(state, optim::LionOptions{.cautious = true, .nonfinite = NonFinite::unchecked}, 28);
}
void large_schedule_free_sgd(State& state) {
  large_other<optim::ScheduleFreeSGD>(state, optim::ScheduleFreeSGDOptions{.lr = 0.1, .nonfinite = NonFinite::unchecked}, 20);
}
/// Every fifth update reads and writes the slow weights, and the fast ones once more.
void large_lookahead(State& state) {
  AdamW adamw(large().parameters(), {.nonfinite = NonFinite::unchecked});
  adamw.look_ahead({.every = 5});
  step(state, large(), adamw, 31);
}
/// Reads weights and gradients once before.
void gpt2_adaptive_clip(State& state) {
  AdamW adamw(gpt2().parameters(), {.nonfinite = NonFinite::unchecked});
  adamw.clip_adaptively();
  step(state, gpt2(), adamw, 36);
}
/// Muon on GPT-2's parameters, to compare the cost of its matrix products with AdamW.
void gpt2_muon(State& state) {
  static optim::Muon muon(gpt2().parameters(), {.adamw = [](const Parameter& p) { return p.shape().rank() != 2; }});
  step(state, gpt2(), muon, 32);
}
void gpt2_normuon(State& state) {
  static optim::NorMuon muon(gpt2().parameters(), {.adamw = [](const Parameter& p) { return p.shape().rank() != 2; }});
  step(state, gpt2(), muon, 32);
}
/// SOAP on four blocks of a width of 256, of which it takes the eigenvectors once and QR decompositions each tenth
/// update; AdamW on the same, to compare.
Fixture& blocks() {
  static Fixture fixture([] {
    Shapes shapes;
    for (int block = 0; block < 4; ++block) {
      for (const std::vector<std::int64_t>& shape : Shapes{{768, 256}, {256, 256}, {1024, 256}, {256, 1024}}) {
        shapes.push_back(shape);
      }
    }
    return shapes;
  }());
  return fixture;
}
void blocks_soap(State& state) {
  static optim::SOAP soap(blocks().parameters());
  step(state, blocks(), soap, 28);
}
void blocks_muon(State& state) {
  static optim::Muon muon(blocks().parameters(), {.adamw = [](const Parameter&) { return false; }});
  step(state, blocks(), muon, 20);
}
void blocks_adamw(State& state) {
  static AdamW adamw(blocks().parameters());
  step(state, blocks(), adamw, 32);
}
void gpt2_adamw(State& state) {
  static AdamW adamw(gpt2().parameters());
  step(state, gpt2(), adamw, 32);
}
void large_adamw_guarded(State& state) {
  static AdamW adamw(large().parameters());
  step(state, large(), adamw, 32);
}
void large_adamw_clipped(State& state) {
  static AdamW adamw(large().parameters(), {.clip_norm = 1.0});
  step(state, large(), adamw, 32);
}
void gpt2_adamw_clipped(State& state) {
  static AdamW adamw(gpt2().parameters(), {.clip_norm = 1.0});
  step(state, gpt2(), adamw, 32);
}
void small_adamw(State& state) {
  static AdamW adamw(small().parameters());
  step(state, small(), adamw, 32);
}
void small_adamw_clipped(State& state) {
  static AdamW adamw(small().parameters(), {.clip_norm = 1.0});
  step(state, small(), adamw, 32);
}

/// The time of a step by the number of parameters and the number of tensors they are in.
void growth(State& state) {
  static std::optional<AdamW> adamw;
  static std::unique_ptr<Fixture> fixture;
  const std::int64_t count = state.range(0), tensors = state.range(1);
  adamw.reset();
  fixture = std::make_unique<Fixture>(Shapes(static_cast<std::size_t>(tensors), {count / tensors}));
  adamw.emplace(fixture->parameters());
  step(state, *fixture, *adamw, 32);
  adamw.reset();
  fixture.reset();
}

#define TEMPER_BENCHMARK(name) BENCHMARK(name)->UseRealTime()->Unit(benchmark::kMillisecond)
TEMPER_BENCHMARK(large_loop);
TEMPER_BENCHMARK(large_loop_and_read);
TEMPER_BENCHMARK(large_adamw);
TEMPER_BENCHMARK(large_adamw_bf16);
TEMPER_BENCHMARK(large_adamw_8bit);
TEMPER_BENCHMARK(large_adamw_guarded);
TEMPER_BENCHMARK(large_adamw_clipped);
TEMPER_BENCHMARK(gpt2_adamw_clipped);
TEMPER_BENCHMARK(small_adamw);
TEMPER_BENCHMARK(small_adamw_clipped);
TEMPER_BENCHMARK(large_nadamw);
TEMPER_BENCHMARK(large_cautious_adamw);
TEMPER_BENCHMARK(large_cautious_decay);
TEMPER_BENCHMARK(large_lion);
TEMPER_BENCHMARK(large_cautious_lion);
TEMPER_BENCHMARK(large_lookahead);
TEMPER_BENCHMARK(large_ademamix);
TEMPER_BENCHMARK(large_adopt);
TEMPER_BENCHMARK(large_schedule_free);
TEMPER_BENCHMARK(large_schedule_free_sgd);
TEMPER_BENCHMARK(large_adadelta);
TEMPER_BENCHMARK(large_rprop);
TEMPER_BENCHMARK(large_lars);
TEMPER_BENCHMARK(large_prodigy);
TEMPER_BENCHMARK(gpt2_adamw);
TEMPER_BENCHMARK(gpt2_adaptive_clip);
TEMPER_BENCHMARK(gpt2_muon);
TEMPER_BENCHMARK(gpt2_normuon);
TEMPER_BENCHMARK(blocks_adamw);
TEMPER_BENCHMARK(blocks_muon);
TEMPER_BENCHMARK(blocks_soap);
TEMPER_BENCHMARK(growth)->ArgNames({"parameters", "tensors"})->Apply([](benchmark::internal::Benchmark* benchmark) {
  for (const std::int64_t tensors : {1, 100, 10'000}) {
    // 10^8 parameters take seconds to set up, and 100 tensors take as long as one there.
    const std::int64_t last = tensors == 100 ? 10'000'000 : 100'000'000;
    for (std::int64_t count = std::max<std::int64_t>(1000, 10 * tensors); count <= last; count *= 10) {
      benchmark->Args({count, tensors});
    }
  }
});

}  // namespace

}  // namespace temper::bench
