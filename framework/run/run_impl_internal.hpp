#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <temper/run/run.hpp>
#include "framework/run/run_folder_internal.hpp"
#include "framework/run/run_parts_internal.hpp"

namespace temper {

/// Sums of losses since some moment, for their mean.
struct LossMean {
  double sum = 0;
  double count = 0;

  void add(double mean, double its_count) {
    sum += mean * its_count;
    count += its_count;
  }
  double take() {
    const double mean = count > 0 ? sum / count : 0.0;
    *this = {};
    return mean;
  }
};

/// A figure whose means are logged, such as "train/loss".
struct Figure {
  std::string name;
  LossMean logged{}, evaluated{};  // since the last line, since the last evaluation
};

/// Where a run stood after its last update. A stop between the batches of one update goes back to it.
struct LastUpdate {
  data::LoaderState loader{};
  RandomState random{};
  std::vector<Figure> figures{};
  std::vector<std::pair<Tensor, Tensor>> buffers{};  // of the model, and copies; where an update has several batches
};

/// What a run keeps.
struct Run::Impl {
  using Clock = std::chrono::steady_clock;

  explicit Impl(Setup its_setup);

  Setup setup;
  TrainOptions& options = setup.options;
  std::optional<RunFolder> folder;  // none in a dry run
  bool narrow = false;              // trains in bf16
  Throughput throughput;
  std::vector<std::string> samples;  // JSON objects

  // The checkpoint of a resumed run, until the phase it belongs to begins.
  std::optional<CheckpointFolder::Loaded> resumed;
  const Metadata environment = temper::environment();
  std::vector<std::pair<std::string, std::function<void(const std::string&)>>> own_files;  // to be written

  // The run as a whole.
  std::optional<MetricsLog> log;
  std::optional<TensorBoard> board;  // where asked for
  int phase = -1;
  Step before = 0;  // updates of the phases before this one
  bool described = false;
  double seconds_before = 0;  // of training, before this process
  std::optional<Clock::time_point> started;
  std::string last_metrics;  // as printed

  // The phase at hand. Signals are held up only while it trains.
  std::optional<StopSignal> stop;
  std::optional<detail::RunParts> parts;
  Step made = 0, total = 0, eval_every = 1;
  bool logs = false;  // whether the step at hand gets a line
  double last_loss = 0;
  const double max_seconds = options.max_seconds();
  bool time_is_up = false;
  bool stopped_itself = false;                         // the program's loop said that it is over
  std::int64_t waited = 0;                             // evaluations since the best one
  std::optional<detail::GradientReceivers> receivers;  // in the phase's first step, to be looked at before its second
  Step checkpoint_steps = 0;
  double checkpoint_seconds = 0;
  std::int64_t gathered = 0;  // batches since the last update
  double gathered_count = 0;  // what their losses are means over
  LastUpdate last_update;
  std::string data_checksum;  // of some examples
  bool log_failed = false;    // and said so
  std::optional<double> best;
  std::vector<Figure> figures;
  Hooks hooks;
  std::unique_ptr<detail::ProgressBar> bar;
  std::optional<Step> last_saved;
  Clock::time_point saved, measured;  // the last checkpoint; the beginning of the throughput's interval
  std::int64_t examples = 0;          // since `measured`

  optim::Optimizer& optimizer() { return *parts->optimizers.front().value; }
  const nn::Module& model() const { return *parts->models.front().value; }
  const detail::LoaderHandle* loader() const {
    return parts->loaders.empty() ? nullptr : &parts->loaders.front().value;
  }
  std::int64_t batches() const { return loader() != nullptr ? loader()->batches : 0; }
  bool over() const {
    return made >= total || time_is_up || stopped_itself || (options.patience > 0 && waited >= options.patience);
  }
  TrainOptions phase_options(const Phase& its_phase) const;
  double seconds() const;
  Step step() const { return before + made; }

  void open_folder();
  void resume();
  bool take_checkpoint();
  void warn(const std::string& what) const;
  void save(bool evaluation_due);
  void note_update();
  void back_to_update();
  bool checkpoint_due();
  void open_log(const MetricsLogOptions& at);
  /// A figure of the log's line, on TensorBoard too.
  void add(std::string_view name, double value);
  void end_line();
  void log_step(const optim::StepReport* report);
  void swap_averages();
  void begin_line();
  void keep_checkpoint();
  void evaluate();
  void log_metrics(const Metrics& metrics);
  void keep_best(const Metrics& metrics);
  bool stop_requested() const { return stop && stop->requested(); }
  [[noreturn]] void stop_here();
  [[noreturn]] void fail_diverged(std::string_view name, double value);
};

}  // namespace temper
