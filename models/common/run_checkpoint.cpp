// How a run stops and goes on: what its checkpoints hold besides model, optimizer, loader and random counters.

#include <charconv>
#include <cstdio>

#include "framework/core/format_internal.hpp"
#include "models/common/run_impl.hpp"

namespace temper::models {

namespace {

double number(const Metadata& notes, const char* key) {
  const auto found = notes.find(key);
  double value = 0;
  if (found != notes.end()) {
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size()) return value;
  }
  fail<FileError>("checkpoint: the run's '{}' is missing or no number", key);
}

std::string text(const Metadata& notes, const char* key) {
  const auto found = notes.find(key);
  return found == notes.end() ? std::string() : found->second;
}

std::string sum_text(const LossMean& mean) { return fmt::format("{}", mean.sum); }

}  // namespace

bool Run::Impl::checkpoint_due() {
  if (checkpoint_steps > 0) return optimizer().k() % checkpoint_steps == 0;
  return std::chrono::duration<double>(Clock::now() - saved).count() >= checkpoint_seconds;
}

void Run::Impl::save(bool evaluation_due) {
  Checkpoint checkpoint = checkpoint_of(parts->model, optimizer(), parts->loader.state());
  checkpoint.environment = environment();
  checkpoint.notes = {{"model", setup.model},
                      {"phase", std::to_string(phase)},
                      {"step", std::to_string(step())},
                      {"batches", std::to_string(parts->loader.batches)},
                      {"seconds", fmt::format("{}", seconds())},
                      {"logged losses", std::to_string(logged_loss.count)},
                      {"logged loss", sum_text(logged_loss)},
                      {"evaluated losses", std::to_string(evaluated_loss.count)},
                      {"evaluated loss", sum_text(evaluated_loss)},
                      {"evaluation due", evaluation_due ? "1" : "0"},
                      {"metrics", last_metrics}};
  if (best) checkpoint.notes["best"] = fmt::format("{}", *best);
  CheckpointFolder(*folder / "checkpoints").save(checkpoint);
  saved = Clock::now();
}

/// Takes the phase's checkpoint, if there is one.
void Run::Impl::resume() {
  if (!resumed) return;
  const Checkpoint& checkpoint = resumed->checkpoint;
  const Metadata& notes = checkpoint.notes;
  if (text(notes, "model") != setup.model) {
    fail<FileError>("{}: of the model '{}', this is {}", resumed->file.native(), text(notes, "model"), setup.model);
  }
  const auto its_phase = static_cast<int>(number(notes, "phase"));
  if (phase < its_phase) return;
  // All that can be wrong comes before anything changes.
  const auto batches = static_cast<std::int64_t>(number(notes, "batches"));
  if (batches != parts->loader.batches || checkpoint.loader.batch > batches) {
    fail<FileError>("{}: its epochs have {} batches, those of this run {}; is the data still the same?",
                    resumed->file.native(), batches, parts->loader.batches);
  }
  const auto at = static_cast<Step>(number(notes, "step"));
  const double its_seconds = number(notes, "seconds");
  const LossMean logged{number(notes, "logged loss"), static_cast<std::int64_t>(number(notes, "logged losses"))};
  const LossMean evaluated{number(notes, "evaluated loss"),
                           static_cast<std::int64_t>(number(notes, "evaluated losses"))};
  const bool evaluation_due = number(notes, "evaluation due") != 0;
  if (notes.contains("best")) best = number(notes, "best");
  temper::restore(checkpoint, parts->model, optimizer());
  parts->loader.restore(checkpoint.loader);

  seconds_before = its_seconds;
  started = Clock::now();
  logged_loss = logged;
  evaluated_loss = evaluated;
  last_metrics = text(notes, "metrics");
  described = std::filesystem::exists(*folder / "model.txt");
  open_log(at);
  for (const std::string& change : environment_changes(checkpoint.environment, environment())) {
    std::fprintf(stderr, "temper-%s: the bits may differ from those of an uninterrupted run: %s\n", setup.model.c_str(),
                 change.c_str());
  }
  print("resumed at step {} from {}", at, resumed->file.native());
  resumed.reset();
  if (evaluation_due) {
    evaluate();
    save(false);
  }
}

}  // namespace temper::models
