// --dry-run: what a run would do.

#include <temper/core/pool.hpp>

#include "framework/core/format_internal.hpp"
#include "models/common/run_impl.hpp"

namespace temper::models {

namespace {

std::string mebibytes(std::int64_t bytes) {
  return fmt::format("{:>10.1f} MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
}

/// Bytes that an optimizer keeps for each parameter.
std::int64_t state_bytes(const optim::Optimizer& optimizer, std::int64_t elements) {
  std::int64_t bytes = 0;
  for (const optim::StateSpec& state : optimizer.definition().states) {
    switch (state.kind) {
      case optim::StateSpec::Kind::f32: bytes += elements * 4; break;
      case optim::StateSpec::Kind::bf16: bytes += elements * 2; break;
      case optim::StateSpec::Kind::codes8: bytes += elements; break;
      case optim::StateSpec::Kind::units: bytes += elements / 256 * 4; break;
    }
  }
  return bytes;
}

}  // namespace

void Run::plan(const std::function<void()>& forward_and_backward) {
  Impl& run = *impl_;
  std::int64_t elements = 0;
  for (const Parameter& parameter : run.parts->model.parameters()) elements += parameter.shape().numel();

  reset_pool_peak();
  const auto before = static_cast<std::int64_t>(pool_stats().live);
  forward_and_backward();
  const std::int64_t step = static_cast<std::int64_t>(pool_stats().peak) - before;
  const std::int64_t activations = std::max<std::int64_t>(0, step - 4 * elements);
  const std::int64_t average = run.options.ema > 0 ? 4 * elements : 0;
  const std::int64_t moments = state_bytes(run.optimizer(), elements);

  print("memory");
  print("  parameters   {}   {} numbers", mebibytes(4 * elements), elements);
  print("  gradients    {}", mebibytes(4 * elements));
  print("  {:<12} {}   {}", "moments", mebibytes(moments), run.optimizer().name());
  if (average > 0) print("  average      {}", mebibytes(average));
  print("  activations  {}   measured on one batch of {}", mebibytes(activations), run.options.batch_size);
  print("  total        {}", mebibytes(8 * elements + moments + average + activations));
  print("");
  print("{} updates of {} examples, {} batches an epoch", run.total, run.options.batch_size * run.options.accumulate,
        run.parts->loader.batches);
  print("learning rate: {}", run.optimizer().schedule("lr").text());
  print("{}", optim::plot(run.optimizer(), run.total));
  const std::string findings = optim::lint(run.optimizer(), run.total).text();
  print("{}", findings.empty() ? "the linter finds nothing to object to" : findings);
  throw Stopped{0};
}

}  // namespace temper::models
