// Saving and resuming a run: what its checkpoints contain besides model, optimizer, loader and random counters.

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/run/config_changes_internal.hpp"
#include "framework/run/run_impl_internal.hpp"

namespace temper {

namespace {

constexpr std::string_view figure_prefix = "figure/";

/// A number from the notes of a checkpoint, checked, because the file may have been edited.
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
                  found == notes.end() ? "missing" : "'" + detail::printable(found->second) + "'", least, most);
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

std::string text_of(const Figure& figure) {
  const auto& [name, logged, evaluated] = figure;
  return fmt::format("{} {} {} {}", logged.sum, logged.count, evaluated.sum, evaluated.count);
}

/// As many numbers as are expected, separated by blanks.
template <std::size_t N>
std::array<double, N> numbers(const std::string& key, const std::string& text) {
  std::array<double, N> all{};
  const char* at = text.data();
  const char* const last = at + text.size();
  for (double& number : all) {
    if (at != text.data() && at != last && *at == ' ') ++at;
    const auto [end, error] = std::from_chars(at, last, number);
    if (error != std::errc() || !std::isfinite(number)) at = nullptr;
    if (at == nullptr) break;
    at = end;
  }
  if (at != last) fail<FileError>("the run's '{}' is '{}', expected {} numbers", key, detail::printable(text), N);
  return all;
}

Figure figure_of(const std::string& key, const std::string& text) {
  const auto [sum, count, evaluated_sum, evaluated_count] = numbers<4>(key, text);
  return {key.substr(figure_prefix.size()), {sum, count}, {evaluated_sum, evaluated_count}};
}

std::string batches_text(const detail::RunParts& parts) {
  std::string text;
  for (const auto& [name, loader] : parts.loaders) {
    text += fmt::format("{}{}", text.empty() ? "" : " and ", loader.batches);
  }
  return text;
}

}  // namespace

bool Run::Impl::checkpoint_due() {
  if (checkpoint_steps > 0) return made % checkpoint_steps == 0;
  return std::chrono::duration<double>(Clock::now() - saved).count() >= checkpoint_seconds;
}

void Run::Impl::save(bool evaluation_due) {
  group.doing(fmt::format("the checkpoint after step {}", step()));
  if (!writes()) {
    saved = Clock::now();
    last_saved = step();
    return;
  }
  // The log and the samples come first, so that a checkpoint is never ahead of them after a power failure.
  log->sync();
  write_samples();
  Checkpoint checkpoint = detail::checkpoint_of(*parts);
  checkpoint.environment = environment;
  const Metadata notes = {{"name", setup.name},
                          {"config", setup.config},
                          {"data", data_checksum},
                          {"phase", fmt::format("{}", phase)},
                          {"step", fmt::format("{}", step())},
                          {"batches", batches_text(*parts)},
                          {"seconds", fmt::format("{}", seconds())},
                          {"log lines", fmt::format("{}", log->lines())},
                          {"samples", fmt::format("{}", samples.size())},
                          {"evaluation due", evaluation_due ? "1" : "0"},
                          {"waited", fmt::format("{}", waited)},
                          {"stopped itself", stopped_itself ? "1" : "0"},
                          {"metrics", last_metrics}};
  checkpoint.notes.insert(notes.begin(), notes.end());
  for (const Figure& figure : figures) checkpoint.notes[std::string(figure_prefix) + figure.name] = text_of(figure);
  if (const auto& [norm, variance, weight] = noise.state(); weight > 0) {
    checkpoint.notes["noise"] = fmt::format("{} {} {}", norm, variance, weight);
  }
  if (best) checkpoint.notes["best"] = fmt::format("{}", *best);
  CheckpointFolder(*folder / "checkpoints").save(checkpoint);
  if (options.keep > 0) keep_checkpoint();
  if (hooks.saved) hooks.saved(step(), (*folder / "checkpoints/last.safetensors").native());
  saved = Clock::now();
  last_saved = step();
}

/// Links the checkpoint under a name with its step, which later ones do not replace, and removes the oldest of these.
void Run::Impl::keep_checkpoint() {
  namespace fs = std::filesystem;
  const fs::path checkpoints = *folder / "checkpoints";
  try {
    const fs::path kept = checkpoints / fmt::format("step-{:010}.safetensors", step());
    fs::remove(kept);
    std::error_code no_links;
    fs::create_hard_link(checkpoints / "last.safetensors", kept, no_links);
    if (no_links) fs::copy_file(checkpoints / "last.safetensors", kept);
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(checkpoints)) {
      if (entry.path().filename().native().starts_with("step-")) all.push_back(entry.path());
    }
    std::ranges::sort(all);
    const auto keep = static_cast<std::size_t>(options.keep);
    for (std::size_t i = 0; i + keep < all.size(); ++i) fs::remove(all[i]);
  } catch (const fs::filesystem_error& error) {
    fail<FileError>("{}: {}", detail::printable(error.path1().native()), error.code().message());
  }
}

/// Restores the checkpoint if it is of this phase, and makes an evaluation that was postponed.
void Run::Impl::resume() {
  if (!resumed) return;
  const bool evaluation_due = detail::with_path(resumed->file, [&] { return restore_checkpoint(); });
  if (resumed) return;  // the checkpoint is of a later phase
  if (evaluation_due) {
    evaluate();
    save(false);
  }
}

/// Returns whether an evaluation was postponed when the run was stopped.
bool Run::Impl::restore_checkpoint() {
  const Checkpoint& checkpoint = resumed->checkpoint;
  const Metadata& notes = checkpoint.notes;
  if (text(notes, "name") != setup.name) {
    fail<FileError>("of the program '{}', this is {}", detail::printable(text(notes, "name")), setup.name);
  }
  if (phase < count(notes, "phase")) return false;
  // All checks come before any change.
  if (const std::string changed = config_changes(text(notes, "config"), setup.config, setup.free); !changed.empty()) {
    fail<FileError>("the run's config.toml is not what it was; to train otherwise, start a new run:{}", changed);
  }
  if (const std::string batches = text(notes, "batches"); batches != batches_text(*parts)) {
    fail<FileError>("its epochs have {} batches, those of this run {}; is the data still the same?",
                    detail::printable(batches), batches_text(*parts));
  }
  const Step at = count(notes, "step", before + total);
  if (parts->optimizers.size() == 1 && parts->optimizers[0].name.empty()) {
    const auto k = checkpoint.optimizer.texts.find("k");
    if (k == checkpoint.optimizer.texts.end() || k->second != fmt::format("{}", at - before)) {
      fail<FileError>("the run is at step {}, its optimizer is not", at);
    }
  }
  const double its_seconds = real(notes, "seconds");
  const Step its_lines = count(notes, "log lines"), its_samples = count(notes, "samples");
  std::vector<Figure> its_figures;
  for (const auto& [key, value] : notes) {
    if (key.starts_with(figure_prefix)) its_figures.push_back(figure_of(key, value));
  }
  const Step its_waited = count(notes, "waited");
  const bool its_end = count(notes, "stopped itself", 1) != 0;
  const bool evaluation_due = count(notes, "evaluation due", 1) != 0;
  std::optional<double> its_best;
  if (notes.contains("best")) its_best = real(notes, "best");
  NoiseScale::State its_noise;
  if (notes.contains("noise")) {
    const auto [norm, variance, weight] = numbers<3>("noise", text(notes, "noise"));
    its_noise = {norm, variance, weight};
  }
  detail::restore(checkpoint, *parts);

  made = at - before;
  noise.restore(its_noise);
  figures = std::move(its_figures);
  waited = its_waited;
  stopped_itself = its_end;
  seconds_before = its_seconds;
  started = Clock::now();
  best = its_best;
  last_metrics = text(notes, "metrics");
  last_saved = at;
  described = detail::path_exists(path("model.txt"));
  if (writes()) {
    open_log({.resumed_at = at, .lines = its_lines});
    read_samples(static_cast<std::size_t>(its_samples));
  }
  for (const std::string& change : environment_changes(checkpoint.environment, environment)) {
    warn("the bits may differ from those of an uninterrupted run: " + change);
  }
  if (text(notes, "data") != data_checksum) warn("the data is not what it was when the run was saved");
  if (log && !log->notice().empty()) warn(log->notice());
  print("resumed at step {} from {}", at, resumed->file.native());
  resumed.reset();
  return evaluation_due;
}

void Run::Impl::warn(const std::string& what) const {
  if (!writes()) return;  // what one process is told, all are
  std::fprintf(stderr, "%s: %s\n", (setup.program.empty() ? setup.name : setup.program).c_str(), what.c_str());
}

}  // namespace temper
