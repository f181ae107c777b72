#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <temper/temper.hpp>

#include <temper/run/options.hpp>

namespace temper {

/// A figure that an evaluation found: {"test accuracy", 0.91} or {"test loss", 0.3, Better::smaller}.
struct Metric {
  /// Which values are better.
  enum class Better { larger, smaller };

  std::string name;                ///< "test accuracy"; in metrics.jsonl "test/accuracy"
  double value = 0;                ///< found
  Better better = Better::larger;  ///< than others
};
using Better = Metric::Better;
/// What an evaluation found. The first metric decides which weights are the best.
using Metrics = std::vector<Metric>;

/// What a loss function may give instead of the mean loss of a batch, where that is no mean over the batch's examples
/// but over something else, such as masked words: batches that make one update together are weighted by `count`.
struct MeanLoss {
  Tensor mean;       ///< a number
  double count = 1;  ///< of what it is the mean
};

/// A part of a run with an optimizer of its own, such as pretraining. Most runs have one.
struct Phase {
  std::string name = "train";  ///< in the log
  Step steps = 0;              ///< updates; 0: what the options say
  std::string lr{};            ///< instead of the option's: a number or a schedule
};

/// What an example is called and how many a batch has, for the throughput.
struct Throughput {
  std::string unit = "examples";  ///< for people
  std::int64_t per_example = 1;   ///< units in one
};

/// What is to happen at certain points of a run, beside what happens anyway. All may be empty.
struct Hooks {
  std::function<void(Step)> before_step{};                ///< number of the update to come, from 1
  std::function<void(Step, double loss)> after_step{};    ///< of the update made, and the last loss noted as train/loss
  std::function<void(Step, const Metrics&)> evaluated{};  ///< with the weights that were evaluated still in place
  std::function<void(Step, const std::string& file)> saved{};  ///< a checkpoint, which is on the disk
};

/// Thrown to end a program early and in good order: after Ctrl-C, or a dry run. No error, and no std::exception.
struct Stopped {
  int status = 0;  ///< what main returns
};

class Loop;

namespace detail {

template <class T>
struct Named {
  std::string name;  ///< empty where there is one
  T value;
};

/// A loader without its data set's type.
struct LoaderHandle {
  template <data::Dataset D>
  explicit LoaderHandle(data::Loader<D>& loader)
      : batches(loader.batches()),
        size(loader.size()),
        state([&loader] { return loader.state(); }),
        restore([&loader](const data::LoaderState& saved) { loader.restore(saved); }),
        example([&loader](std::int64_t i) {
          return std::apply([](const auto&... fields) { return std::vector<Tensor>{fields...}; },
                            data::example(loader.dataset(), i));
        }) {}

  std::int64_t batches, size;
  std::function<data::LoaderState()> state;
  std::function<void(const data::LoaderState&)> restore;
  std::function<std::vector<Tensor>(std::int64_t)> example;
};

/// What a part of a run consists of, all of which its checkpoints hold.
struct RunParts {
  std::vector<Named<const nn::Module*>> models{};
  std::vector<Named<optim::Optimizer*>> optimizers{};
  std::vector<Named<LoaderHandle>> loaders{};
  std::vector<Named<std::variant<double*, std::int64_t*, Tensor>>> state{};
  std::function<Metrics()> evaluate{};
  Phase phase{};
};

}  // namespace detail

/// A training run: its options, its folder, and its loop with all that belongs to it - accumulation, averaging,
/// evaluation, checkpoints, resuming, metrics.jsonl, Ctrl-C, --dry-run. Made by run_program.
class Run {
 public:
  /// What a run is given.
  struct Setup {
    std::string name;                 ///< of the program: its runs are in runs/NAME
    TrainOptions options{};           ///< in force
    std::string config{};             ///< for config.toml
    std::string program{};            ///< begins what it says on standard error; empty: the name
    std::string command{};            ///< what starts the program, as a shell reads it: "./run.sh cnn"
    std::vector<std::string> free{};  ///< options of the program's own that may change when the run goes on
  };

  explicit Run(Setup setup);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// The options in force.
  const TrainOptions& options() const;
  /// The folder that holds what the run leaves behind; a new run takes it now if training has not begun yet. Empty in
  /// a dry run.
  std::string folder() const;
  /// Has a file of the program's own in that folder: `write` is called with its path when training begins, not before
  /// all options were found to be good, and not in a dry run.
  void keep(const std::string& name, std::function<void(const std::string& path)> write);
  /// The path of such a file, of a run that goes on; empty when there is none.
  std::string kept(const std::string& name) const;
  /// Options of a Loader of training data: the batch size, shuffled.
  data::LoaderOptions loader_options() const;
  /// Counts tokens, say, instead of examples.
  void measure(const Throughput& throughput);

  /// The optimizer that the options say, for an epoch of so many batches, averaging weights if asked to.
  std::unique_ptr<optim::Optimizer> optimizer(const nn::Module& model, std::int64_t batches, const Phase& phase = {});

  /// Trains until the run's updates are made. `loss(batch)` gives the mean loss over the examples of a batch, or a
  /// MeanLoss over something else: --accumulate weights batches by their numbers, as one large batch would.
  /// `evaluate()`, called at every evaluation with the averaged weights in place if there are any, gives Metrics.
  /// Resumes first where asked to: a phase that the checkpoint has passed is skipped. Afterwards the model holds the
  /// weights to be used. Throws: ValueError when a loss is not finite.
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
        Tape tape;
        const MeanLoss value = mean_loss(loss(batch), batch);
        tape.backward(weighted(value));
        if (!advance(value, std::get<0>(batch).size(0))) break;
      }
    }
    end();
  }

  /// Has something happen at certain points of all training from now on.
  void hooks(Hooks hooks);

  /// A text or an image (u8 values [height, width, channels]) for the report.
  void sample_text(const std::string& title, const std::string& text);
  void sample_image(const std::string& title, const std::string& caption, const Tensor& pixels);

  /// Writes the report and prints what came of the run. run_program calls it at the end.
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
  /// Where several batches make an update, the sum over their terms: the update divides by the number of all.
  Tensor weighted(const MeanLoss& loss) const;

  /// False when the checkpoint is past this phase.
  bool begin(detail::RunParts parts);
  /// Notes the model's table, once.
  void describe(const Tensor& example);
  /// The dry run: prints what a run would do, and throws Stopped.
  [[noreturn]] void plan(const std::function<void()>& forward_and_backward);
  [[noreturn]] void plan_loop();
  bool more() const;
  /// After a backward; false when the phase is over. Throws: Stopped after Ctrl-C.
  bool advance(const MeanLoss& loss, std::int64_t examples);
  /// Adds to the mean of a figure. Throws: ValueError when it is not finite, or a loss beyond --max-loss.
  void note(std::string_view name, double mean, double count);
  void before_step();
  /// After an update, whose report is known where the run made it: logs, evaluates, saves. As advance.
  bool after_step(const optim::StepReport* report);
  void end();

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace temper
