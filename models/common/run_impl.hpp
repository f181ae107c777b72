#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/common/run.hpp"
#include "models/common/run_folder.hpp"

namespace temper::models {

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

/// Where a run stood after its last update. A stop between the batches of one update goes back to it.
struct LastUpdate {
  data::LoaderState loader{};
  RandomState random{};
  LossMean logged_loss{}, evaluated_loss{};
  std::vector<std::pair<Tensor, Tensor>>
      buffers{};  // of the model, and their copies; where an update has several batches
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
  std::optional<Parts> parts;
  Step total = 0, eval_every = 1;
  Step checkpoint_steps = 0;
  double checkpoint_seconds = 0;
  std::int64_t gathered = 0;  // batches since the last update
  double gathered_count = 0;  // what their losses are means over
  LastUpdate last_update;
  std::string data_checksum;  // of some examples
  bool log_failed = false;    // and said so
  std::optional<double> best;
  LossMean logged_loss, evaluated_loss;
  std::unique_ptr<temper::detail::ProgressBar> bar;
  std::optional<Step> last_saved;
  Clock::time_point saved, measured;  // the last checkpoint; the beginning of the throughput's interval
  std::int64_t examples = 0;          // since `measured`

  optim::Optimizer& optimizer() { return parts->optimizer; }
  TrainOptions phase_options(const Phase& its_phase) const;
  double seconds() const;
  Step step() { return before + optimizer().k(); }

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
  void log_step(const optim::StepReport& report);
  void evaluate();
  void log_metrics(const Metrics& metrics);
  void keep_best(const Metrics& metrics);
  bool stop_requested() const { return stop && stop->requested(); }
  [[noreturn]] void stop_here();
  [[noreturn]] void fail_diverged(Step next, double loss);
};

}  // namespace temper::models
