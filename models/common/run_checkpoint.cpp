// How a run stops and goes on: what its checkpoints hold besides model, optimizer, loader and random counters.

#include <charconv>
#include <cstdio>
#include <limits>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "models/common/config_changes.hpp"
#include "models/common/run_impl.hpp"

namespace temper::models {

namespace {

/// A number of the run's notes. What was written by a run is right; a file may have been made by hand.
template <class T>
T number(const Metadata& notes, const char* key, T least, T most) {
  const auto found = notes.find(key);
  T value{};
  if (found != notes.end()) {
    const std::string& text = found->second;
    const char* const last = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), last, value);
    if (error == std::errc() && end == last && value >= least && value <= most) return value;
  }
  fail<FileError>("the run's '{}' is {}, expected a number from {} to {}", key,
                  found == notes.end() ? "missing" : "'" + temper::detail::printable(found->second) + "'", least, most);
}

double real(const Metadata& notes, const char* key) {
  constexpr double most = std::numeric_limits<double>::max();
  return number<double>(notes, key, -most, most);
}

Step count(const Metadata& notes, const char* key, Step most = optim::endless) {
  return number<Step>(notes, key, 0, most);
}

std::string text(const Metadata& notes, const char* key) {
  const auto found = notes.find(key);
  return found == notes.end() ? std::string() : found->second;
}

LossMean losses(const Metadata& notes, const std::string& name) {
  return {real(notes, (name + " loss").c_str()), real(notes, (name + " losses").c_str())};
}

}  // namespace

bool Run::Impl::checkpoint_due() {
  if (checkpoint_steps > 0) return optimizer().k() % checkpoint_steps == 0;
  return std::chrono::duration<double>(Clock::now() - saved).count() >= checkpoint_seconds;
}

void Run::Impl::save(bool evaluation_due) {
  // The log first: a checkpoint must not be ahead of it, whatever stops the machine.
  log->sync();
  Checkpoint checkpoint = checkpoint_of(parts->model, optimizer(), parts->loader.state());
  checkpoint.environment = environment;
  checkpoint.notes = {{"model", setup.model},
                      {"config", setup.config},
                      {"data", data_checksum},
                      {"phase", fmt::format("{}", phase)},
                      {"step", fmt::format("{}", step())},
                      {"batches", fmt::format("{}", parts->loader.batches)},
                      {"seconds", fmt::format("{}", seconds())},
                      {"log lines", fmt::format("{}", log->lines())},
                      {"logged losses", fmt::format("{}", logged_loss.count)},
                      {"logged loss", fmt::format("{}", logged_loss.sum)},
                      {"evaluated losses", fmt::format("{}", evaluated_loss.count)},
                      {"evaluated loss", fmt::format("{}", evaluated_loss.sum)},
                      {"evaluation due", evaluation_due ? "1" : "0"},
                      {"metrics", last_metrics}};
  if (best) checkpoint.notes["best"] = fmt::format("{}", *best);
  CheckpointFolder(*folder / "checkpoints").save(checkpoint);
  saved = Clock::now();
  last_saved = step();
}

/// Takes the phase's checkpoint, if there is one.
void Run::Impl::resume() {
  if (!resumed) return;
  const bool evaluation_due = temper::detail::with_path(resumed->file, [&] { return take_checkpoint(); });
  if (resumed) return;  // its phase is still to come
  if (evaluation_due) {
    evaluate();
    save(false);
  }
}

/// Whether an evaluation is due that a stop put off.
bool Run::Impl::take_checkpoint() {
  const Checkpoint& checkpoint = resumed->checkpoint;
  const Metadata& notes = checkpoint.notes;
  if (text(notes, "model") != setup.model) {
    fail<FileError>("of the model '{}', this is {}", temper::detail::printable(text(notes, "model")), setup.model);
  }
  if (phase < count(notes, "phase")) return false;
  // All that can be wrong comes before anything changes.
  if (const std::string changed = config_changes(text(notes, "config"), setup.config, setup.free); !changed.empty()) {
    fail<FileError>("the run's config.toml is not what it was; to train otherwise, start a new run:{}", changed);
  }
  const auto batches = count(notes, "batches");
  if (batches != parts->loader.batches || checkpoint.loader.batch > batches) {
    fail<FileError>("its epochs have {} batches, those of this run {}; is the data still the same?", batches,
                    parts->loader.batches);
  }
  const Step at = count(notes, "step", before + total);
  const auto k = checkpoint.optimizer.texts.find("k");
  if (k == checkpoint.optimizer.texts.end() || k->second != fmt::format("{}", at - before)) {
    fail<FileError>("the run is at step {}, its optimizer is not", at);
  }
  const double its_seconds = real(notes, "seconds");
  const Step its_lines = count(notes, "log lines");
  const LossMean logged = losses(notes, "logged"), evaluated = losses(notes, "evaluated");
  const bool evaluation_due = count(notes, "evaluation due", 1) != 0;
  std::optional<double> its_best;
  if (notes.contains("best")) its_best = real(notes, "best");
  temper::restore(checkpoint, parts->model, optimizer());
  parts->loader.restore(checkpoint.loader);

  seconds_before = its_seconds;
  started = Clock::now();
  logged_loss = logged;
  evaluated_loss = evaluated;
  best = its_best;
  last_metrics = text(notes, "metrics");
  last_saved = at;
  described = temper::detail::path_exists(*folder / "model.txt");
  open_log({.resumed_at = at, .lines = its_lines});
  for (const std::string& change : environment_changes(checkpoint.environment, environment)) {
    warn("the bits may differ from those of an uninterrupted run: " + change);
  }
  if (text(notes, "data") != data_checksum) warn("the data is not what it was when the run was saved");
  if (!log->notice().empty()) warn(log->notice());
  print("resumed at step {} from {}", at, resumed->file.native());
  resumed.reset();
  return evaluation_due;
}

void Run::Impl::warn(const std::string& what) const {
  std::fprintf(stderr, "temper-%s: %s\n", setup.model.c_str(), what.c_str());
}

}  // namespace temper::models
