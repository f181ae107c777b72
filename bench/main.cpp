// The main function of the Google Benchmark programs. Adds machine() to the output.

#include <benchmark/benchmark.h>

#include "bench/machine.hpp"

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const auto& [name, value] : temper::bench::machine()) benchmark::AddCustomContext(name, value);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
