#include "models/common/run.hpp"

#include <chrono>
#include <filesystem>
#include <optional>

#include "framework/core/format_internal.hpp"
#include "models/common/optimizer.hpp"

namespace temper::models {

using Clock = std::chrono::steady_clock;

struct Run::Impl {
  Impl(std::string its_model, TrainOptions its_options)
      : model(std::move(its_model)), options(std::move(its_options)) {}

  std::string model;
  TrainOptions options;
  Throughput throughput;

  // Of the phase that runs.
  std::optional<Parts> parts;
  Step total = 0, eval_every = 0;
  std::int64_t gathered = 0;  // batches since the last update
  double loss_sum = 0;
  std::int64_t losses = 0;
  Clock::time_point begin = Clock::now();
  std::unique_ptr<temper::detail::ProgressBar> bar;

  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin).count(); }
  void evaluate();
};

Run::Run(std::string model, TrainOptions options)
    : impl_(std::make_unique<Impl>(std::move(model), std::move(options))) {
  std::filesystem::create_directories(impl_->options.out);
}
Run::~Run() = default;

const TrainOptions& Run::options() const { return impl_->options; }
const std::string& Run::folder() const { return impl_->options.out; }
data::LoaderOptions Run::loader_options() const { return {.batch_size = impl_->options.batch_size, .shuffle = true}; }
void Run::measure(const Throughput& throughput) { impl_->throughput = throughput; }

std::unique_ptr<optim::Optimizer> Run::optimizer(const nn::Module& model, std::int64_t batches, const Phase& phase) {
  TrainOptions options = impl_->options;
  if (phase.steps > 0) options.steps = phase.steps;
  if (!phase.lr.empty()) options.lr = phase.lr;
  auto optimizer = make_optimizer(model.parameters(), options, options.schedule(options.total_steps(batches)));
  if (options.ema > 0) optimizer->average({.decay = options.ema});
  return optimizer;
}

bool Run::begin(const Parts& parts) {
  Impl& run = *impl_;
  run.parts.emplace(parts);
  TrainOptions options = run.options;
  if (parts.phase.steps > 0) options.steps = parts.phase.steps;
  run.total = options.total_steps(parts.loader.batches);
  run.eval_every =
      options.eval_every > 0 ? options.eval_every : std::max<Step>(1, parts.loader.batches / options.accumulate);
  run.gathered = 0;
  run.begin = Clock::now();
  run.bar = std::make_unique<temper::detail::ProgressBar>(run.model, run.total);
  return true;
}

bool Run::more() const { return impl_->parts->optimizer.k() < impl_->total; }

bool Run::advance(double loss, std::int64_t) {
  Impl& run = *impl_;
  run.loss_sum += loss;
  ++run.losses;
  if (++run.gathered < run.options.accumulate) return true;
  optim::Optimizer& optimizer = run.parts->optimizer;
  optimizer.step({.divide_by = static_cast<double>(run.gathered)});
  run.gathered = 0;
  run.bar->advance();
  if (optimizer.k() % run.eval_every == 0 || optimizer.k() == run.total) run.evaluate();
  return optimizer.k() < run.total;
}

void Run::Impl::evaluate() {
  optim::Optimizer& optimizer = parts->optimizer;
  const bool averaged = options.ema > 0;
  if (averaged) optimizer.swap_averages();
  const Metrics metrics = parts->evaluate();
  if (averaged) optimizer.swap_averages();
  std::string text;
  for (const Metric& metric : metrics) text += fmt::format(", {} {:.4f}", metric.name, metric.value);
  print("step {}/{}: training loss {:.4f}{}, {:.1f} s", optimizer.k(), total, loss_sum / static_cast<double>(losses),
        text, seconds());
  loss_sum = 0;
  losses = 0;
}

void Run::end() {
  Impl& run = *impl_;
  run.bar.reset();
  if (run.options.ema > 0) run.parts->optimizer.swap_averages();
  const std::string file = run.options.out + "/model.safetensors";
  save(file, run.parts->model);
  print("trained in {:.1f} s, saved to {}", run.seconds(), file);
}

void Run::sample_text(const std::string& title, const std::string& text) { print("{}:\n{}", title, text); }
void Run::sample_image(const std::string&, const std::string&, const Tensor&) {}

}  // namespace temper::models
