// The limits of the machine: peak arithmetic, memory bandwidth, and the cost of starting a parallel region.

#include <benchmark/benchmark.h>
#include <omp.h>

#include <temper/core/parallel.hpp>
#include <temper/tensor/tensor.hpp>

#include "bench/loops.hpp"

namespace temper::bench {

namespace {

using benchmark::Counter;
using benchmark::State;

void fma(State& state, double (*loop)(Index), bool supported) {
  if (!supported) return state.SkipWithError("this CPU does not have it");
  const bool all = state.range(0) > 1;
  double flops = 0;
  for (auto _ : state) {
    if (all) {
#pragma omp parallel reduction(+ : flops)
      flops += loop(1 << 18);
    } else {
      flops += loop(1 << 18);
    }
  }
  state.counters["GFLOP/s"] = Counter(flops * 1e-9, Counter::kIsRate);
}

void fma_sse2_peak(State& state) { fma(state, fma_sse2, true); }
void fma_avx2_peak(State& state) {
  fma(state, fma_avx2, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
}
void fma_avx512_peak(State& state) { fma(state, fma_avx512, __builtin_cpu_supports("avx512f")); }
void fma_bf16_peak(State& state) { fma(state, fma_bf16, __builtin_cpu_supports("avx512bf16")); }

/// With one thread and with all threads.
void one_and_all(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(1);
  if (threads() > 1) benchmark->Arg(threads());
  benchmark->ArgName("threads")->UseRealTime();
}
BENCHMARK(fma_sse2_peak)->Apply(one_and_all);
BENCHMARK(fma_avx2_peak)->Apply(one_and_all);
BENCHMARK(fma_avx512_peak)->Apply(one_and_all);
BENCHMARK(fma_bf16_peak)->Apply(one_and_all);

// Buffers of the largest size. They are written once and kept, so that no page faults are timed.
constexpr Index largest = 50'000'000;

float* buffer(std::size_t which) {
  static std::array<Tensor, 4> tensors;
  Tensor& tensor = tensors[which];
  if (!tensor.defined()) tensor = full({largest}, 1.0f);
  return tensor.mutable_data<float>();
}

void traffic(State& state, Index bytes_per_element) {
  const double bytes = static_cast<double>(state.iterations() * state.range(0) * bytes_per_element);
  state.counters["GB/s"] = Counter(bytes * 1e-9, Counter::kIsRate);
}

void memory_read(State& state) {
  const float* x = buffer(0);
  for (auto _ : state) benchmark::DoNotOptimize(read(x, state.range(0)));
  traffic(state, 4);
}
void memory_copy(State& state) {
  const float* x = buffer(0);
  float* y = buffer(1);
  for (auto _ : state) copy(x, y, state.range(0));
  traffic(state, 8);
}
void memory_sweep(State& state) {
  float *p = buffer(0), *g = buffer(1), *m = buffer(2), *v = buffer(3);
  for (auto _ : state) sweep(p, g, m, v, state.range(0));
  traffic(state, 28);
}

/// Sizes that fit into the L2 caches, into the L3 cache, and into memory only.
void sizes(benchmark::internal::Benchmark* benchmark) {
  for (const Index n : {Index{1} << 15, Index{1} << 20, largest}) benchmark->Arg(n);
  benchmark->ArgName("floats")->UseRealTime();
}
BENCHMARK(memory_read)->Apply(sizes);
BENCHMARK(memory_copy)->Apply(sizes);
BENCHMARK(memory_sweep)->Apply(sizes);

void empty_region(State& state) {
  for (auto _ : state) {
#pragma omp parallel
    benchmark::ClobberMemory();
  }
}
BENCHMARK(empty_region)->UseRealTime();

void empty_parallel_for(State& state) {
  for (auto _ : state) {
    parallel_for(threads(), 1, [](Index, Index) { benchmark::ClobberMemory(); });
  }
}
BENCHMARK(empty_parallel_for)->UseRealTime();

}  // namespace

}  // namespace temper::bench
