#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <temper/distributed/group.hpp>
#include <temper/run/run.hpp>
#include <temper/train/noise_scale.hpp>
#include <temper/train/range_test.hpp>

#include "framework/distributed/shard_sum_internal.hpp"
#include "framework/run/run_folder_internal.hpp"
#include "framework/run/run_parts_internal.hpp"

namespace temper {

/// A weighted sum of losses, and its weights, for their mean.
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

/// A value whose means are logged, such as "train/loss".
struct Figure {
  std::string name;
  LossMean logged{}, evaluated{};  // since the last line, since the last evaluation
};

/// The state after the last update, which is restored when the run is stopped between the batches of an update.
struct LastUpdate {
  data::LoaderState loader{};
  RandomState random{};
  std::vector<Figure> figures{};
  std::vector<std::pair<Tensor, Tensor>> buffers{};  // the model's, with copies; only with --accumulate
};

/// The range test of --find-lr, while it lasts.
struct LrSearch {
  RangeTest test;
  Checkpoint start;             // copies, which are restored afterwards
  std::vector<double> factors;  // of each optimizer's rate, as its journal has them
  std::chrono::steady_clock::time_point began;
  LossMean loss{};  // of the update at hand
};

/// What a batch, or its part in a shard, gave.
struct PieceLoss {
  double mean, count;
  std::int64_t examples;
};

/// What depends on clocks and signals, for all processes.
struct Decision {
  int signal = 0;           // that asked to stop
  bool time_is_up = false;  // --max-time
  bool save = false;        // --checkpoint-every
};

/// The state of a run.
struct Run::Impl {
  using Clock = std::chrono::steady_clock;

  explicit Impl(Setup its_setup);

  Setup setup;
  TrainOptions& options = setup.options;
  distributed::Group alone{nullptr};
  distributed::Group& group = setup.group != nullptr ? *setup.group : alone;
  std::optional<RunFolder> folder;  // none in a dry run, and on other processes than the first
  bool narrow = false;              // trains in bf16
  Throughput throughput;
  std::vector<std::string> samples;  // JSON objects
  std::size_t written_samples = 0;   // how many samples.json has

  // The checkpoint of a resumed run, until the phase it belongs to begins.
  std::optional<CheckpointFolder::Loaded> resumed;
  bool opened = false;  // the folder is there
  const Metadata environment = temper::environment();
  std::vector<std::pair<std::string, std::function<void(const std::string&)>>> own_files;  // of keep(), not yet written

  // The run as a whole.
  std::optional<MetricsLog> log;
  std::optional<TensorBoard> board;  // with --tensorboard
  int phase = -1;
  Step before = 0;  // updates of the phases before this one
  bool described = false;
  double seconds_before = 0;  // of training, before this process
  std::optional<Clock::time_point> started;
  std::string last_metrics;  // as printed

  // The current phase. Signals only set a flag while it trains.
  std::optional<StopSignal> stop;
  std::optional<detail::RunParts> parts;
  Step made = 0, total = 0, eval_every = 1;
  bool logs = false;  // whether the current step gets a line in the log
  double last_loss = 0;
  const double max_seconds = options.max_seconds();
  bool time_is_up = false;
  bool stopped_itself = false;  // Loop::stop() was called
  std::optional<Step> pause;    // the step of --stop-at, in this phase
  std::int64_t waited = 0;      // evaluations since the best one
  /// While the phase makes its first step; checked before its second.
  std::optional<detail::GradientReceivers> receivers;
  Step checkpoint_steps = 0;
  double checkpoint_seconds = 0;
  std::int64_t gathered = 0;      // pieces of this process since the last update
  double gathered_count = 0;      // number of terms that the losses of all processes' are means of
  std::vector<PieceLoss> pieces;  // this process's, with several
  std::optional<distributed::detail::ShardSum> sum;  // with --shards
  Decision decided;
  std::string activations;  // for --histograms, of the update at hand
  NoiseScale noise;           // of the gradient, from the first of the batches and all of them
  double first_squares = 0, first_count = 0;
  LastUpdate last_update;
  std::string data_checksum;  // of some examples
  bool log_failed = false;    // a write of the log failed, and a warning was printed
  std::optional<double> best;
  std::vector<Figure> figures;
  Hooks hooks;
  std::unique_ptr<detail::ProgressBar> bar;
  std::optional<Step> last_saved;
  Clock::time_point saved, measured;  // the last checkpoint; the beginning of the throughput's interval
  std::int64_t examples = 0;          // since `measured`

  std::optional<LrSearch> search;     // with --find-lr, before a phase's first step
  std::vector<std::string> searches;  // their pictures, as JSON objects

  optim::Optimizer& optimizer() { return *parts->optimizers.front().value; }
  const nn::Module& model() const { return *parts->models.front().value; }
  const detail::LoaderHandle* loader() const {
    return parts->loaders.empty() ? nullptr : &parts->loaders.front().value;
  }
  std::int64_t batches() const { return loader() != nullptr ? loader()->batches : 0; }
  bool over() const {
    return made >= total || time_is_up || stopped_itself || (options.patience > 0 && waited >= options.patience);
  }
  /// Whether the run stops here for now, as --stop-at says.
  bool pauses() const { return pause && step() >= *pause && !over(); }
  /// Whether this process writes the files of the run.
  bool writes() const { return group.rank() == 0; }
  std::filesystem::path path(const char* name) const { return std::filesystem::path(options.out) / name; }
  /// The pieces of an update that this process makes.
  std::int64_t own_pieces() const { return options.pieces() / group.size(); }
  data::BatchShare share() const;
  void check_same() const;
  void make_sum();
  void begin_update();
  std::vector<PieceLoss> all_pieces();
  void check_parts() const;
  void write_gradients();
  void decide();
  TrainOptions phase_options(const Phase& its_phase) const;
  double seconds() const;
  Step step() const { return before + made; }

  void open_folder();
  void resume();
  bool restore_checkpoint();
  void warn(const std::string& what) const;
  void save(bool evaluation_due);
  /// Makes the phase ready for its next step: the last thing before it.
  void begin_steps();
  void note_first_batch(double count);
  void note_noise(const optim::StepReport& report);
  void begin_search();
  void set_search_rates();
  /// What advance() does during the range test; false when it is over.
  bool search_batch(const MeanLoss& loss);
  /// Ends an update of the range test; false when that was the last, and everything is restored.
  bool search_step(bool applied);
  void end_search();
  void note_update();
  void restore_last_update();
  bool checkpoint_due();
  void open_log(const MetricsLogOptions& at);
  /// Adds a value to the log's current line, and to TensorBoard.
  void add(std::string_view name, double value);
  void end_line();
  void log_step(const optim::StepReport* report);
  void swap_averages();
  void begin_line();
  void keep_checkpoint();
  void evaluate();
  void log_metrics(const Metrics& metrics);
  void write_histograms(Step at, std::string lines);
  void write_samples();
  /// The first `count` of samples.json.
  void read_samples(std::size_t count);
  void write_result(const Metrics& metrics) const;
  void keep_best(const Metrics& metrics);
  bool stop_requested() const { return stop && stop->requested(); }
  [[noreturn]] void stop_here(int status);
  [[noreturn]] void fail_diverged(std::string_view name, double value);
};

}  // namespace temper
