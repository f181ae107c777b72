#include <temper/run/run.hpp>

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include <temper/run/optimizer.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/run/run_impl_internal.hpp"
#include "framework/run/shell_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper {

namespace {

/// A checksum of a few examples spread over the data, to notice when a run is resumed with other data. The random state
/// is restored, as examples may draw random numbers.
std::string checksum_of_some(const std::vector<detail::Named<detail::LoaderHandle>>& loaders) {
  constexpr std::int64_t max_examples = 16;
  const RandomState random = random_state();
  uLong crc = ::crc32(0, nullptr, 0);
  for (const auto& [name, loader] : loaders) {
    const std::int64_t count = std::min(loader.size, max_examples);
    for (std::int64_t i = 0; i < count; ++i) {
      for (const Tensor& field : loader.example(count > 1 ? i * (loader.size - 1) / (count - 1) : 0)) {
        const auto bytes = detail::bytes_of(field);
        crc = ::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
      }
    }
  }
  set_random_state(random);
  return fmt::format("{:08x}", crc);
}

}  // namespace

Run::Impl::Impl(Setup its_setup) : setup(std::move(its_setup)) {
  if (options.shards < 1 || options.shards % group.size() != 0) {
    fail<ValueError>("{} processes cannot share --shards {}; the number of processes must divide that of the shards",
                     group.size(), options.shards);
  }
  if (options.batch_size % options.shards != 0) {
    fail<ValueError>("--batch-size {} cannot be cut into {} equal shards (--shards)", options.batch_size,
                     options.shards);
  }
  options.batch_size /= options.shards;
  narrow = options.dtype == "bf16" && nn::bf16_supported();
  if (options.dtype == "bf16" && !narrow) print("--dtype bf16: this CPU has no instructions for it; training in f32");
  if (options.dry_run) return;
  if (writes()) check_folder(options);  // before reading data, which may take minutes
  if (options.resume) open_folder();
}

/// A new run creates its folder late, so that one that fails before, for lack of data or because of its options, leaves
/// nothing behind and removes nothing.
void Run::Impl::open_folder() {
  if (opened || options.dry_run) return;
  opened = true;
  group.doing("opening the run's folder");
  if (writes()) {
    folder.emplace(setup.name, options, setup.config);
    options.out = folder->path().native();
    detail::make_folders(path("checkpoints"));
    for (const auto& [name, write] : own_files) write(path(name.c_str()).native());
  }
  own_files.clear();
  options.out = group.broadcast(options.out);
  const CheckpointFolder checkpoints(path("checkpoints"));
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
  return impl_->opened ? impl_->options.out : std::string();
}
void Run::keep(const std::string& name, std::function<void(const std::string& path)> write) {
  Impl& run = *impl_;
  if (run.options.dry_run || !run.writes()) return;
  if (run.folder) return write(run.path(name.c_str()).native());
  run.own_files.emplace_back(name, std::move(write));
}
std::string Run::kept(const std::string& name) const {
  if (!impl_->options.resume || impl_->options.dry_run) return {};
  const std::filesystem::path path = impl_->path(name.c_str());
  return detail::path_exists(path) ? path.native() : std::string();
}
data::LoaderOptions Run::loader_options() const {
  return {.batch_size = impl_->options.batch_size,
          .shuffle = true,
          .seed = impl_->options.seed,
          .share = impl_->share()};
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
  if (options.ema > 0) {
    optimizer->average({.decay = options.ema});
  }
  return optimizer;
}

void Run::hooks(Hooks hooks) { impl_->hooks = std::move(hooks); }

bool Run::begin(detail::RunParts parts) {
  Impl& run = *impl_;
  ++run.phase;
  if (run.parts) run.before += run.total;  // the updates of the phase that ended
  const TrainOptions options = run.phase_options(parts.phase);
  run.parts.emplace(std::move(parts));
  run.total = options.total_steps(run.batches());
  const Step epoch = std::max<Step>(1, run.batches() / options.pieces());
  run.eval_every = options.eval_every > 0 ? options.eval_every : run.loader() != nullptr ? epoch : run.total;
  run.made = 0;
  run.check_parts();
  if (options.dry_run) return true;
  run.open_folder();
  run.gathered = 0;
  run.gathered_count = 0;
  run.pieces.clear();
  run.make_sum();
  run.noise = NoiseScale();
  run.last_update.buffers.clear();
  if (options.pieces() > 1 && !run.parts->models.empty()) {
    for (const nn::Buffer& buffer : run.model().buffers()) {
      run.last_update.buffers.emplace_back(buffer.tensor, buffer.tensor.clone());
    }
  }
  run.data_checksum = checksum_of_some(run.parts->loaders);
  std::tie(run.checkpoint_steps, run.checkpoint_seconds) = options.checkpoint_interval();
  run.best.reset();
  run.figures.clear();
  run.waited = 0;
  run.time_is_up = run.stopped_itself = false;
  run.bar.reset();
  run.saved = run.measured = Impl::Clock::now();
  run.resume();
  if (run.resumed) return false;  // the checkpoint is of a later phase
  run.check_same();
  run.pause = options.stop_step(run.parts->phase.name == "train", run.before, run.total);
  if (run.pauses()) run.stop_here(0);
  // Lines of a run that was killed before its first checkpoint are discarded: it starts from the beginning.
  if (!run.log && run.writes()) run.open_log({.replace = true});
  if (!run.started) run.started = Impl::Clock::now();
  run.stop.emplace();
  if (options.find_lr && run.made == 0) {
    run.begin_search();
  } else {
    run.begin_steps();
  }
  return true;
}

void Run::Impl::begin_steps() {
  const std::string& name = parts->phase.name;
  if (writes()) bar = std::make_unique<detail::ProgressBar>(name == "train" ? setup.name : name, total, made);
  saved = measured = Clock::now();
  examples = 0;
  receivers.emplace();
  note_update();
  begin_update();
}

void Run::describe(const Tensor& example) {
  Impl& run = *impl_;
  if (run.described) return;
  run.described = true;
  const nn::Module& model = run.model();
  const bool layer = dynamic_cast<const nn::Layer*>(&model) != nullptr;
  const std::string table = layer ? nn::summary(model, example) : nn::summary(model);
  if (run.folder) run.folder->write("model.txt", table);
  if (run.options.dry_run) print("{}", table);
}

bool Run::more() const { return !impl_->over(); }

Tensor Run::weighted(const MeanLoss& loss) const {
  return impl_->options.pieces() > 1 ? loss.mean * static_cast<float>(loss.count) : loss.mean;
}

void Run::note(std::string_view name, double mean, double count) {
  Impl& run = *impl_;
  if (run.search) {
    if (name == "train/loss") run.search->loss.add(mean, count);
    return;
  }
  const double max_loss = run.options.max_loss;
  const bool too_large = max_loss > 0 && mean > max_loss && name.ends_with("loss");
  if (!std::isfinite(mean) || too_large) run.fail_diverged(name, mean);
  if (name == "train/loss") run.last_loss = mean;
  // Sorted by name, so that a resumed run logs them in the same order.
  auto found = std::ranges::lower_bound(run.figures, name, {}, &Figure::name);
  if (found == run.figures.end() || found->name != name) found = run.figures.insert(found, {std::string(name)});
  found->logged.add(mean, count);
  found->evaluated.add(mean, count);
}

void Run::before_step() {
  Impl& run = *impl_;
  if (run.search) return run.set_search_rates();
  if (run.receivers && !run.receivers->listening()) {
    detail::check_receivers(*run.receivers, *run.parts);
    run.receivers.reset();
  }
  run.logs = (run.step() + 1) % run.options.log_every == 0 || run.made + 1 == run.total;
  if (run.hooks.before_step) run.hooks.before_step(run.step() + 1);
}

bool Run::advance(const MeanLoss& loss, std::int64_t examples) {
  Impl& run = *impl_;
  if (run.search) return run.search_batch(loss);
  if (run.gathered == 0) before_step();
  if (run.gathered == 0 && run.options.pieces() > 1 && run.writes()) run.note_first_batch(loss.count);
  const PieceLoss piece{loss.mean.item(), loss.count, examples};
  if (run.group.size() > 1) {
    run.pieces.push_back(piece);
  } else {
    add_piece(piece.mean, piece.count, piece.examples);
  }
  ++run.gathered;
  if (run.sum && run.gathered % run.options.accumulate == 0) run.sum->add();
  if (run.gathered < run.own_pieces()) {
    // Several processes stop after an update: they are not at the same of its pieces.
    if (run.group.size() > 1 || !run.stop_requested()) return true;
    run.restore_last_update();
    run.save(false);
    run.stop_here(128 + run.stop->signal());
  }
  // The losses first: one that is not finite is the better error than a gradient that is not.
  for (const PieceLoss& each : run.all_pieces()) add_piece(each.mean, each.count, each.examples);
  if (run.sum) run.sum->finish();
  if (!run.activations.empty()) run.write_gradients();
  const double divisor = run.options.pieces() > 1 ? run.gathered_count : 1.0;
  const optim::StepReport report = run.optimizer().step({.divide_by = divisor, .measure = run.logs});
  if (!report.applied && report.bad.empty()) {
    fail<ValueError>("step {}: there is nothing to train: all parameters of the optimizer are frozen", run.step() + 1);
  }
  run.note_noise(report);
  run.gathered = 0;
  run.gathered_count = 0;
  return after_step(&report);
}

void Run::add_piece(double mean, double count, std::int64_t examples) {
  note("train/loss", mean, count);
  impl_->examples += examples;
  impl_->gathered_count += count;
}

/// The gradient that waits is the sum over `count` terms.
void Run::Impl::note_first_batch(double count) {
  first_squares = 0;
  for (const optim::Group& each : optimizer().groups()) first_squares += gradient_squares(each.parameters);
  first_squares /= count * count;
  first_count = count;
}

void Run::Impl::note_noise(const optim::StepReport& report) {
  if (options.pieces() == 1 || !writes() || !report.applied || !(first_count > 0 && first_count < gathered_count)) return;
  if (report.grad_norm < 0 || !std::isfinite(first_squares)) return;
  noise.add(first_squares, first_count, report.grad_norm * report.grad_norm, gathered_count);
}

bool Run::after_step(const optim::StepReport* report) {
  Impl& run = *impl_;
  if (run.search) return run.search_step(true);
  if (run.receivers) run.receivers->stop();  // and looked at when the step's tapes and temporaries are gone
  ++run.made;
  if (run.bar) run.bar->advance();
  if (run.logs) run.log_step(report);
  // A loop's gradients are spent, and its activations are its own affair.
  const bool looks = run.options.histograms > 0 && run.step() % run.options.histograms == 0;
  if (report == nullptr && looks) run.write_histograms(run.step(), {});
  if (run.hooks.after_step) run.hooks.after_step(run.step(), run.last_loss);
  run.decide();
  const bool pauses = run.pauses();
  const bool evaluates = run.made % run.eval_every == 0 || run.over() || pauses;
  if (run.decided.signal != 0) {
    run.save(evaluates);  // an evaluation may take long, so it is postponed until the run is resumed
    run.stop_here(128 + run.decided.signal);
  }
  if (evaluates) {
    run.evaluate();
    run.decide();  // an evaluation may have taken long
  }
  const bool over = run.over();
  if (run.decided.save || over || pauses || run.decided.signal != 0) run.save(false);
  if (run.decided.signal != 0 && !over) run.stop_here(128 + run.decided.signal);
  if (pauses && !over) run.stop_here(0);
  run.note_update();
  run.begin_update();
  return !over;
}

void Run::Impl::note_update() {
  if (options.pieces() == 1 || loader() == nullptr) return;
  last_update.loader = loader()->state();
  last_update.random = random_state();
  last_update.figures = figures;
  for (auto& [buffer, copy] : last_update.buffers) copy.copy_from(buffer);
}

void Run::Impl::restore_last_update() {
  optimizer().discard_gradients();
  if (sum) sum->drop();
  loader()->restore(last_update.loader);
  set_random_state(last_update.random);
  figures = last_update.figures;
  for (auto& [buffer, copy] : last_update.buffers) buffer.copy_from(copy);
}

void Run::Impl::fail_diverged(std::string_view name, double value) {
  bar.reset();
  const std::string saved_at =
      last_saved ? fmt::format("the last checkpoint is of step {}", *last_saved) : "there is no checkpoint yet";
  const std::string bound = std::isfinite(value) ? fmt::format(", beyond --max-loss {}", options.max_loss) : "";
  fail<ValueError>("step {}: {} is {}{}; a lower --lr, a longer --warmup or a smaller --clip-norm may help ({})",
                   step() + 1, name == "train/loss" ? "the loss" : name, value, bound, saved_at);
}

void Run::Impl::stop_here(int status) {
  bar.reset();
  print("stopped after step {}/{}; to go on: {} --resume --out {}", step(), before + total, setup.command,
        shell_quoted(options.out));
  throw Stopped{status};
}

void Run::end() {
  Impl& run = *impl_;
  run.bar.reset();
  run.stop.reset();
  Tensors weights = detail::model_tensors(*run.parts);
  const std::filesystem::path best = run.path("checkpoints/best.safetensors");
  if (run.options.patience > 0 && run.best) {
    run.group.barrier();  // until it is written
    detail::with_path(best, [&] { detail::copy_state(weights, load_tensors(best).tensors, {}); });
  } else {
    run.swap_averages();
  }
  if (run.writes()) save_tensors(run.path("model.safetensors"), weights);
}

}  // namespace temper
