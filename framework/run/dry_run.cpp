// --dry-run: prints what a run would do.

#include <temper/core/pool.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/run/run_impl_internal.hpp"

namespace temper {

namespace {

std::string mebibytes(std::int64_t bytes) {
  return fmt::format("{:>10.1f} MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
}

/// Bytes of an optimizer's state.
std::int64_t state_bytes(const optim::Optimizer& optimizer) {
  using Kind = optim::StateSpec::Kind;
  const auto bytes_of = [](Kind kind, const Shape& shape) {
    const std::int64_t elements = shape.numel(), rows = shape.rank() > 0 ? shape[0] : 1;
    const std::int64_t columns = rows > 0 ? elements / rows : 0;
    switch (kind) {
      case Kind::f32: return elements * 4;
      case Kind::bf16: return elements * 2;
      case Kind::codes8: return elements;
      case Kind::units: return elements / 256 * 4;
      case Kind::rows: return rows * 4;
      case Kind::columns: return columns * 4;
      case Kind::rows_squared: return rows * rows * 4;
      case Kind::columns_squared: return columns * columns * 4;
    }
    return std::int64_t{0};
  };
  std::int64_t bytes = 0;
  for (const optim::Group& group : optimizer.groups()) {
    for (const Parameter& parameter : group.parameters) {
      for (const optim::StateSpec& state : optimizer.definition().states) {
        if (!state.owners || state.owners(parameter)) bytes += bytes_of(state.kind, parameter.shape());
      }
    }
  }
  return bytes;
}

}  // namespace

void Run::plan(const std::function<void()>& forward_and_backward) {
  Impl& run = *impl_;
  std::int64_t elements = 0, weights = 0, masters = 0;
  for (const Parameter& parameter : run.model().parameters()) {
    const Dtype dtype = parameter.value().dtype();
    const std::int64_t count = parameter.shape().numel();
    elements += count;
    weights += count * static_cast<std::int64_t>(size_of(dtype));
    if (dtype == Dtype::bf16) masters += 4 * count;
  }

  reset_pool_peak();
  const auto before = static_cast<std::int64_t>(pool_stats().live);
  forward_and_backward();
  const std::int64_t step = static_cast<std::int64_t>(pool_stats().peak) - before;
  const std::int64_t activations = std::max<std::int64_t>(0, step - 4 * elements);
  const std::int64_t average = run.options.ema > 0 ? 4 * elements : 0;
  const std::int64_t moments = state_bytes(run.optimizer());

  print("memory");
  print("  parameters   {}   {} numbers", mebibytes(weights), elements);
  if (masters > 0) print("  masters      {}   in f32, of parameters in bf16", mebibytes(masters));
  print("  gradients    {}", mebibytes(4 * elements));
  print("  {:<12} {}   {}", "moments", mebibytes(moments), run.optimizer().name());
  if (average > 0) print("  average      {}", mebibytes(average));
  print("  activations  {}   measured on one batch of {}", mebibytes(activations), run.options.batch_size);
  print("  total        {}", mebibytes(weights + masters + 4 * elements + moments + average + activations));
  print("");
  const std::int64_t examples = run.options.batch_size * run.options.pieces();
  const auto& [unit, per_example] = run.throughput;
  print("{} updates of {} examples{}, {} batches an epoch", run.total, examples,
        per_example > 1 ? fmt::format(" ({} {})", examples * per_example, unit) : "", run.batches());
  print("learning rate: {}", run.optimizer().schedule("lr").text());
  print("{}", optim::plot(run.optimizer(), run.total));
  constexpr Step max_linted = 100'000'000;  // the linter evaluates the schedules at every update
  if (run.total > max_linted) {
    print("the linter does not look at a run of more than {} updates", max_linted);
    throw Stopped{0};
  }
  const std::string findings = optim::lint(run.optimizer(), run.total).text();
  print("{}", findings.empty() ? "the linter finds nothing to object to" : findings);
  throw Stopped{0};
}

void Run::plan_loop() {
  Impl& run = *impl_;
  for (const auto& [name, model] : run.parts->models) print("{}\n{}", name, nn::summary(*model));
  print("{} steps", run.total);
  for (const auto& [name, optimizer] : run.parts->optimizers) {
    print("{}: {}, learning rate {}", name, optimizer->name(), optimizer->schedule("lr").text());
    print("{}", optim::plot(*optimizer, run.total));
  }
  throw Stopped{0};
}

}  // namespace temper
