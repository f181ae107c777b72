#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <temper/temper.hpp>

namespace temper {

/// The options that every training program has on its command line. A program sets its own defaults.
struct TrainOptions {
  std::string data{};  ///< folder or file of the data; empty: the usual places
  int epochs = 5;      ///< passes over the training data
  Step steps = 0;      ///< updates instead of epochs; 0: as many as the epochs have
  std::int64_t batch_size = 128;
  std::int64_t accumulate = 1;  ///< batches whose gradients are summed for one update
  /// Into how many shards every batch is cut, which the processes share; on several processes 8 by default. The bits of a
  /// run depend on it, not on the number of processes.
  int shards = 1;

  std::string optimizer = "adamw";   ///< one of optimizer_names()
  std::string lr{};                  ///< rate reached at the end of warm-up, or a schedule; empty: customary_lr
  std::string warmup = "10%";        ///< a number of updates, or a percentage of all
  std::string decay = "linear";      ///< one of decay_names()
  double weight_decay = 0.01;        ///< decoupled, of weights and embeddings; biases and norm gains do not decay
  double l2 = 0.0;                   ///< added to the gradient, of the same parameters, where decay is not decoupled
  std::optional<double> momentum{};  ///< of those that have it; none: customary_momentum
  double beta2 = 0.0;                ///< of the optimizers that have it; 0: the optimizer's own default
  double clip_norm = 1.0;            ///< largest norm of the gradient; 0: no clipping
  double ema = 0.0;                  ///< decay of the exponential moving average of the weights; 0: no average

  std::string dtype = "f32";  ///< of weights and activations: f32, or bf16 where the CPU has it
  std::uint64_t seed = 1;
  int threads = 0;  ///< 0: all cores

  std::string out{};                     ///< folder of the run; empty: runs/MODEL, numbered if there is one
  std::string checkpoint_every = "60s";  ///< updates or seconds ("60s") from one checkpoint to the next
  bool resume = false;                   ///< resume the run in that folder
  bool overwrite = false;                ///< remove the run in that folder
  int keep = 0;                          ///< older checkpoints to keep, besides the two that a run resumes from
  Step eval_every = 0;                   ///< updates from one evaluation to the next; 0: an epoch
  Step log_every = 10;                   ///< updates from one line of metrics.jsonl to the next
  Step histograms = 0;                   ///< updates from one set of histograms to the next; 0: none
  bool tensorboard = false;              ///< also write event files

  int patience = 0;         ///< early stopping: end after so many evaluations without a better one; 0: never
  double min_change = 0.0;  ///< how much better an evaluation must be to count for `patience`
  std::string stop_at{};  ///< stop, for --resume to go on, after so many updates or this part of the run; empty: do not
  std::string max_time{};  ///< end the run, and save, after so much training: "90s", "45m", "2h"; empty: never
  double max_loss = 0.0;   ///< fail when a batch's loss is larger; 0: only when it is not finite
  bool dry_run = false;    ///< show what a run would do, and stop
  bool find_lr = false;    ///< before training, show the loss over learning rates, and put everything back

  /// `checkpoint_every` as updates, or 0 and seconds. Throws: ValueError when it is neither.
  std::pair<Step, double> checkpoint_interval() const;
  /// `max_time` in seconds; infinity when it is empty. Throws: ValueError when it is no time.
  double max_seconds() const;
  /// The update of the run after which `stop_at` stops it, in a phase with `total` updates after `before` ones; none
  /// when it is empty, or a part of the run while this is not its main phase. Throws: ValueError when it is neither a
  /// number nor a percentage.
  std::optional<Step> stop_step(bool main_phase, Step before, Step total) const;
  /// Pieces of data that go through the network for an update: each of `shards` shards has one of every batch.
  std::int64_t pieces() const { return accumulate * shards; }
  /// Number of updates of the run, given the number of batches in an epoch (of pieces, when they are cut into shards).
  Step total_steps(std::int64_t batches) const;
  /// `warmup` in updates. Throws: ValueError when it is neither a number nor a percentage, or exceeds `total`.
  Step warmup_steps(Step total) const;
  /// The learning rate of a run of `total` updates. Throws: ValueError for a text that is no schedule, and as
  /// warmup_steps.
  optim::Schedule schedule(Step total) const;
};

/// "linear", "cosine", ...: the values of TrainOptions::decay.
const std::vector<std::string>& decay_names();

}  // namespace temper
