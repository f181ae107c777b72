#include "models/common/run.hpp"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "framework/core/format_internal.hpp"
#include "framework/data/bytes_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "models/common/optimizer.hpp"
#include "models/common/run_impl.hpp"
#include "models/common/shell_internal.hpp"

namespace temper::models {

namespace {

/// A checksum of examples from all over a data set: enough to tell another one. Nothing that it draws counts.
std::string checksum_of_some(std::int64_t size, const std::function<std::vector<Tensor>(std::int64_t)>& example) {
  constexpr std::int64_t most = 16;
  const RandomState random = random_state();
  const std::int64_t count = std::min(size, most);
  uLong crc = ::crc32(0, nullptr, 0);
  for (std::int64_t i = 0; i < count; ++i) {
    for (const Tensor& field : example(count > 1 ? i * (size - 1) / (count - 1) : 0)) {
      const auto bytes = temper::detail::bytes_of(field);
      crc = ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
    }
  }
  set_random_state(random);
  return fmt::format("{:08x}", crc);
}

}  // namespace

Run::Impl::Impl(Setup its_setup) : setup(std::move(its_setup)) {
  narrow = options.dtype == "bf16" && nn::bf16_supported();
  if (options.dtype == "bf16" && !narrow) print("--dtype bf16: this CPU has no instructions for it; training in f32");
  if (options.dry_run) return;
  check_folder(options);  // before the minutes that reading data may take
  if (options.resume) open_folder();
}

/// A new run takes its folder late: one that fails before, for want of data or with options that do not go together,
/// leaves nothing behind, and removes nothing.
void Run::Impl::open_folder() {
  if (folder || options.dry_run) return;
  folder.emplace(setup.model, options, setup.config);
  options.out = folder->path().native();
  temper::detail::make_folders(*folder / "checkpoints");
  for (const auto& [name, write] : own_files) write((*folder / name.c_str()).native());
  own_files.clear();
  const CheckpointFolder checkpoints(*folder / "checkpoints");
  if (!options.resume) {
    print("run folder: {}", options.out);
  } else if (checkpoints.empty()) {
    print("{} has no checkpoint yet: starting from the beginning", options.out);
  } else {
    resumed = checkpoints.load();
    for (const std::string& damaged : resumed->damaged) print("damaged, going back to an older one: {}", damaged);
  }
}

Run::Run(Setup setup) : impl_(std::make_unique<Impl>(std::move(setup))) {}
Run::~Run() = default;

const TrainOptions& Run::options() const { return impl_->options; }
std::string Run::folder() const {
  impl_->open_folder();
  return impl_->folder ? impl_->folder->path().native() : std::string();
}
void Run::keep(const std::string& name, std::function<void(const std::string& path)> write) {
  Impl& run = *impl_;
  if (run.options.dry_run) return;
  if (run.folder) return write((*run.folder / name.c_str()).native());
  run.own_files.emplace_back(name, std::move(write));
}
std::string Run::kept(const std::string& name) const {
  if (!impl_->options.resume || impl_->options.dry_run) return {};
  const std::filesystem::path path = *impl_->folder / name.c_str();
  return temper::detail::path_exists(path) ? path.native() : std::string();
}
data::LoaderOptions Run::loader_options() const {
  return {.batch_size = impl_->options.batch_size, .shuffle = true, .seed = impl_->options.seed};
}
void Run::measure(const Throughput& throughput) { impl_->throughput = throughput; }

TrainOptions Run::Impl::phase_options(const Phase& its_phase) const {
  TrainOptions result = options;
  if (its_phase.steps > 0) result.steps = its_phase.steps;
  if (!its_phase.lr.empty()) result.lr = its_phase.lr;
  return result;
}

double Run::Impl::seconds() const {
  return seconds_before + (started ? std::chrono::duration<double>(Clock::now() - *started).count() : 0.0);
}

std::unique_ptr<optim::Optimizer> Run::optimizer(const nn::Module& model, std::int64_t batches, const Phase& phase) {
  const TrainOptions options = impl_->phase_options(phase);
  if (impl_->narrow) nn::to_bf16(model);
  auto optimizer = make_optimizer(model.parameters(), options, options.schedule(options.total_steps(batches)));
  if (options.ema > 0) optimizer->average({.decay = options.ema});
  return optimizer;
}

bool Run::begin(const Parts& parts) {
  Impl& run = *impl_;
  ++run.phase;
  if (run.parts) run.before += run.total;  // of the phase before
  const TrainOptions options = run.phase_options(parts.phase);
  run.parts.emplace(parts);
  run.total = options.total_steps(parts.loader.batches);
  run.eval_every =
      options.eval_every > 0 ? options.eval_every : std::max<Step>(1, parts.loader.batches / options.accumulate);
  if (options.dry_run) return true;
  run.open_folder();
  run.gathered = 0;
  run.gathered_count = 0;
  run.last_update.buffers.clear();
  if (options.accumulate > 1) {
    for (const nn::Buffer& buffer : parts.model.buffers()) {
      run.last_update.buffers.emplace_back(buffer.tensor, buffer.tensor.clone());
    }
  }
  run.data_checksum = checksum_of_some(parts.loader.size, parts.loader.example);
  std::tie(run.checkpoint_steps, run.checkpoint_seconds) = options.checkpoint_interval();
  run.best.reset();
  run.logged_loss = run.evaluated_loss = {};
  run.bar.reset();
  run.saved = run.measured = Impl::Clock::now();
  run.resume();
  if (run.resumed) return false;  // its phase is still to come
  // A run that was killed before its first checkpoint left lines that are made anew.
  if (!run.log) run.open_log({.replace = true});
  if (!run.started) run.started = Impl::Clock::now();
  run.stop.emplace();
  run.bar = std::make_unique<temper::detail::ProgressBar>(
      parts.phase.name == "train" ? run.setup.model : parts.phase.name, run.total, run.optimizer().k());
  run.saved = run.measured = Impl::Clock::now();
  run.examples = 0;
  run.note_update();
  return true;
}

void Run::describe(const Tensor& example) {
  Impl& run = *impl_;
  if (run.described) return;
  run.described = true;
  const nn::Module& model = run.parts->model;
  const bool layer = dynamic_cast<const nn::Layer*>(&model) != nullptr;
  const std::string table = layer ? nn::summary(model, example) : nn::summary(model);
  if (run.folder) run.folder->write("model.txt", table);
  if (run.options.dry_run) print("{}", table);
}

bool Run::more() const { return impl_->optimizer().k() < impl_->total; }

Tensor Run::weighted(const MeanLoss& loss) const {
  return impl_->options.accumulate > 1 ? loss.mean * static_cast<float>(loss.count) : loss.mean;
}

bool Run::advance(const MeanLoss& loss, std::int64_t examples) {
  Impl& run = *impl_;
  optim::Optimizer& optimizer = run.optimizer();
  const Step next = optimizer.k() + 1;
  const double mean = loss.mean.item();
  if (!std::isfinite(mean)) run.fail_diverged(next, mean);
  run.logged_loss.add(mean, loss.count);
  run.evaluated_loss.add(mean, loss.count);
  run.examples += examples;
  run.gathered_count += loss.count;
  if (++run.gathered < run.options.accumulate) {
    if (!run.stop_requested()) return true;
    run.back_to_update();
    run.save(false);
    run.stop_here();
  }

  const bool logs = (run.before + next) % run.options.log_every == 0 || next == run.total;
  const double divisor = run.options.accumulate > 1 ? run.gathered_count : 1.0;
  const optim::StepReport report = optimizer.step({.divide_by = divisor, .measure = logs});
  run.gathered = 0;
  run.gathered_count = 0;
  run.bar->advance();
  if (logs) run.log_step(report);

  const bool evaluates = next % run.eval_every == 0 || next == run.total;
  if (run.stop_requested()) {
    run.save(evaluates);  // the evaluation may take long: it is made after resuming
    run.stop_here();
  }
  if (evaluates) run.evaluate();
  if (run.checkpoint_due() || next == run.total || run.stop_requested()) run.save(false);
  if (run.stop_requested() && next < run.total) run.stop_here();
  run.note_update();
  return next < run.total;
}

void Run::Impl::note_update() {
  if (options.accumulate == 1) return;
  last_update.loader = parts->loader.state();
  last_update.random = random_state();
  last_update.logged_loss = logged_loss;
  last_update.evaluated_loss = evaluated_loss;
  for (auto& [buffer, copy] : last_update.buffers) copy.copy_from(buffer);
}

void Run::Impl::back_to_update() {
  optimizer().discard_gradients();
  parts->loader.restore(last_update.loader);
  set_random_state(last_update.random);
  logged_loss = last_update.logged_loss;
  evaluated_loss = last_update.evaluated_loss;
  for (auto& [buffer, copy] : last_update.buffers) buffer.copy_from(copy);
}

void Run::Impl::fail_diverged(Step next, double loss) {
  bar.reset();
  const std::string saved_at =
      last_saved ? fmt::format("the last checkpoint is of step {}", *last_saved) : "there is no checkpoint yet";
  fail<ValueError>(
      "step {}: the loss is {}; a lower --lr, a longer --warmup or a smaller --clip-norm may keep it finite ({})",
      before + next, loss, saved_at);
}

void Run::Impl::stop_here() {
  bar.reset();
  print("stopped after step {}/{}; to go on: {} --resume --out {}", step(), before + total, setup.command,
        shell_quoted(options.out));
  throw Stopped{128 + stop->signal()};
}

void Run::end() {
  Impl& run = *impl_;
  run.bar.reset();
  run.stop.reset();
  if (run.optimizer().has_averages()) run.optimizer().swap_averages();
  save(*run.folder / "model.safetensors", run.parts->model);
}

}  // namespace temper::models
