#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <temper/temper.hpp>

#include <temper/run/options.hpp>

namespace temper {

class ConfusionMatrix;
namespace distributed {
class Group;
}

/// A metric of an evaluation: {"test accuracy", 0.91} or {"test loss", 0.3, Better::smaller}.
struct Metric {
  /// Whether larger or smaller values are better.
  enum class Better { larger, smaller };

  std::string name;                ///< "test accuracy"; in metrics.jsonl "test/accuracy"
  double value = 0;                ///< the value measured
  Better better = Better::larger;  ///< which values are better
};
using Better = Metric::Better;
/// The metrics of an evaluation. The first one decides which weights are the best.
using Metrics = std::vector<Metric>;

/// The result of a loss function whose mean is not over the examples of a batch but over something else, such as masked
/// words. With --accumulate, the batches of an update are weighted by `count`.
struct MeanLoss {
  Tensor mean;       ///< the loss, a scalar
  double count = 1;  ///< number of terms that it is the mean of
};

/// A part of a run with an optimizer of its own, such as pretraining. Most runs have one.
struct Phase {
  std::string name = "train";  ///< in the log
  Step steps = 0;              ///< updates; 0: what the options say
  std::string lr{};            ///< in place of --lr: a number or a schedule
};

/// The unit in which throughput is measured.
struct Throughput {
  std::string unit = "examples";  ///< shown to users
  std::int64_t per_example = 1;   ///< number of units in an example, such as tokens
};

/// Functions that are called at certain points of a run. All may be empty.
struct Hooks {
  std::function<void(Step)> before_step{};                     ///< with the number of the coming update, from 1
  std::function<void(Step, double loss)> after_step{};         ///< with its number, and the last value of train/loss
  std::function<void(Step, const Metrics&)> evaluated{};       ///< while the evaluated weights (averages) are in place
  std::function<void(Step, const std::string& file)> saved{};  ///< when a checkpoint is on the disk
};

/// Thrown to end a program early: after Ctrl-C, when all is saved, or a dry run. Not an error, so not a std::exception.
struct Stopped {
  int status = 0;  ///< the exit status of the program
};

class Loop;

namespace detail {

template <class T>
struct Named {
  std::string name;  ///< empty where there is a single one
  T value;
};

/// A loader without its data set's type.
struct LoaderHandle {
  template <data::Dataset D>
  explicit LoaderHandle(data::Loader<D>& loader)
      : batches(loader.batches()),
        size(loader.size()),
        share(loader.share()),
        state([&loader] { return loader.state(); }),
        restore([&loader](const data::LoaderState& saved) { loader.restore(saved); }),
        example([&loader](std::int64_t i) {
          return std::apply([](const auto&... fields) { return std::vector<Tensor>{fields...}; },
                            data::example(loader.dataset(), i));
        }) {}

  std::int64_t batches, size;
  data::BatchShare share;
  std::function<data::LoaderState()> state;
  std::function<void(const data::LoaderState&)> restore;
  std::function<std::vector<Tensor>(std::int64_t)> example;
};

/// The parts of a phase, all of which its checkpoints contain.
struct RunParts {
  std::vector<Named<const nn::Module*>> models{};
  std::vector<Named<optim::Optimizer*>> optimizers{};
  std::vector<Named<LoaderHandle>> loaders{};
  std::vector<Named<std::variant<double*, std::int64_t*, Tensor>>> state{};
  std::function<Metrics()> evaluate{};
  Phase phase{};
};

}  // namespace detail

/// A training run: its options, its folder, and its training loop with accumulation, averaging, evaluation,
/// checkpoints, resuming, metrics.jsonl, Ctrl-C and --dry-run. Made by run_program.
class Run {
 public:
  /// The arguments of a run.
  struct Setup {
    std::string name;                 ///< of the program: its runs are in runs/NAME
    TrainOptions options{};           ///< those in effect
    std::string config{};             ///< the text of config.toml
    std::string program{};            ///< prefix of messages on standard error; empty: the name
    std::string command{};            ///< the shell command that starts the program: "./run.sh cnn"
    std::vector<std::string> free{};  ///< options of the program's own that may change when the run is resumed
    /// The processes that train together, which must outlive the run; null: this one alone. Rank 0 writes the files.
    distributed::Group* group = nullptr;
  };

  explicit Run(Setup setup);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// The options in effect; `batch_size` is that of a piece: the one on the command line, divided by the shards.
  const TrainOptions& options() const;
  /// The path of the run's folder. If training has not begun yet, this call creates the folder; otherwise it exists
  /// already. Empty in a dry run.
  std::string folder() const;
  /// Adds a file of the program's own to the folder: `write` is called with its path when training begins, so only once
  /// all options have been checked, and not in a dry run.
  void keep(const std::string& name, std::function<void(const std::string& path)> write);
  /// The path of a file that keep() added, when the run is resumed; empty otherwise.
  std::string kept(const std::string& name) const;
  /// Options for the Loader of the training data: shuffled, with the batch size and seed of the options, and the share of
  /// this process.
  data::LoaderOptions loader_options() const;
  /// Measures throughput in another unit than examples, such as tokens.
  void measure(const Throughput& throughput);

  /// The optimizer of the options, for epochs of `batches` batches. Averages weights with --ema.
  std::unique_ptr<optim::Optimizer> optimizer(const nn::Module& model, std::int64_t batches, const Phase& phase = {});

  /// Trains until all updates are made. `loss(batch)` returns the mean loss over the examples of a batch, or a MeanLoss
  /// over something else; --accumulate weights batches by these counts, which equals one large batch. `evaluate()`
  /// returns Metrics; it is called with the averaged weights in place, if there are any. With --resume it resumes
  /// first, and skips a phase that was complete at the checkpoint. Afterwards the model holds the weights to be used:
  /// the best with --patience, the averages with --ema. Throws: ValueError when a loss is not finite.
  template <data::Dataset D, class Loss, std::invocable Evaluate>
  void train(const nn::Module& model, optim::Optimizer& optimizer, data::Loader<D>& loader, Loss&& loss,
             Evaluate&& evaluate, const Phase& phase = {}) {
    if (!begin({.models = {{"", &model}},
                .optimizers = {{"", &optimizer}},
                .loaders = {{"", detail::LoaderHandle(loader)}},
                .evaluate = evaluate,
                .phase = phase})) {
      return;
    }
    if (options().dry_run) {
      const auto batch = *loader.begin();
      describe(std::get<0>(batch));
      plan([&] {
        Tape tape;
        tape.backward(mean_loss(loss(batch), batch).mean);
      });
    }
    while (more()) {
      for (const auto& batch : loader) {
        describe(std::get<0>(batch));
        const auto random = random_of_piece();
        Tape tape;
        const MeanLoss value = mean_loss(loss(batch), batch);
        tape.backward(weighted(value));
        if (looks()) look([&] { loss(batch); });
        if (!advance(value, std::get<0>(batch).size(0))) break;
      }
    }
    end();
  }

  /// Sets functions to be called at certain points of all training from now on.
  void hooks(Hooks hooks);

  /// A text or an image (u8 values [height, width, channels]) for the report.
  void sample_text(const std::string& title, const std::string& text);
  void sample_image(const std::string& title, const std::string& caption, const Tensor& pixels);
  /// A confusion matrix for the report. Throws: ValueError when the number of names is not that of the classes; none
  /// are their numbers.
  void sample_matrix(const std::string& title, const ConfusionMatrix& matrix,
                     const std::vector<std::string>& names = {});

  /// Writes the report and prints the results, if anything was trained. run_program calls it at the end.
  void finish();

 private:
  friend class Loop;

  template <class Batch>
  static MeanLoss mean_loss(const Tensor& mean, const Batch& batch) {
    return {mean, static_cast<double>(std::get<0>(batch).size(0))};
  }
  template <class Batch>
  static MeanLoss mean_loss(const MeanLoss& loss, const Batch&) {
    return loss;
  }
  /// Where an update has several pieces, the sum over the terms of one, as the update divides by the number of all terms.
  Tensor weighted(const MeanLoss& loss) const;

  /// False when the checkpoint is of a later phase.
  bool begin(detail::RunParts parts);
  /// Writes the model's summary, once.
  void describe(const Tensor& example);
  /// The dry run: prints what a run would do, and throws Stopped.
  [[noreturn]] void plan(const std::function<void()>& forward_and_backward);
  [[noreturn]] void plan_loop();
  bool more() const;
  /// With shards: random numbers that depend on the update and the piece, and not on the process.
  std::optional<detail::RepeatRandom> random_of_piece() const;
  /// Whether --histograms wants to see this update, whose gradients wait; `forward` computes the loss once more.
  bool looks() const;
  void look(const std::function<void()>& forward);
  /// Called after a backward; false when the phase is over. Throws: Stopped after Ctrl-C.
  bool advance(const MeanLoss& loss, std::int64_t examples);
  void add_piece(double mean, double count, std::int64_t examples);
  /// Adds to the mean of a logged value. Throws: ValueError when it is not finite, or a loss above --max-loss.
  void note(std::string_view name, double mean, double count);
  void before_step();
  /// Called after an update: logs, evaluates, saves. `report` is null in a Loop. Result and errors as advance.
  bool after_step(const optim::StepReport* report);
  void end();

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace temper
