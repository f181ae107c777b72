#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <temper/core/random.hpp>
#include <temper/data/loader.hpp>
#include <temper/io/save.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper {

/// All that a training run needs to resume exactly. Taken between two updates: gradients are not part of it.
struct Checkpoint {
  Tensors model{};                    ///< parameters and buffers
  optim::OptimizerState optimizer{};  ///< moments, k, journal, schedules, averages
  RandomState random{};
  data::LoaderState loader{};
  Metadata environment{};  ///< what the bits of results depend on: program, instruction set, threads
  Metadata notes{};        ///< anything else the program wants to keep
};

namespace detail {
void check_no_gradient_waits(const optim::Optimizer& optimizer);
}  // namespace detail

/// The current state of a run. The tensors share memory with the model and the optimizer: save them before the next
/// step. Throws: ValueError naming a parameter that has a gradient not yet applied by a step, which would be lost.
template <Savable M>
Checkpoint checkpoint_of(const M& model, const optim::Optimizer& optimizer, const data::LoaderState& loader) {
  detail::check_no_gradient_waits(optimizer);
  return {.model = state_dict(model), .optimizer = optimizer.state(), .random = random_state(), .loader = loader};
}

namespace detail {
void restore(const Checkpoint& checkpoint, Tensors& model, optim::Optimizer& optimizer);
}  // namespace detail

/// Restores model, optimizer and random counters, all or nothing; pass checkpoint.loader to Loader::restore.
/// Throws: FileError that lists everything that is missing, extra, of another shape or dtype, or has another setting.
template <Savable M>
void restore(const Checkpoint& checkpoint, M& model, optim::Optimizer& optimizer) {
  static_assert(!std::is_const_v<M>, "restore: the model is const");
  Tensors targets = state_dict(model);
  detail::restore(checkpoint, targets, optimizer);
}

/// Writes a checkpoint in safetensors format, with a checksum for each tensor, whole or not at all.
/// Throws: as save_tensors; ValueError naming each tensor of the optimizer that is not finite, from which no run could
/// be resumed.
void save_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint);
/// Throws: FileError for a file that is damaged, without checksums, or no checkpoint; it lists all that is wrong.
Checkpoint load_checkpoint(const std::filesystem::path& file);

/// The last two checkpoints of a run: `last.safetensors` and `previous.safetensors` in a folder. Once two were saved,
/// the folder holds at least two whole ones at any instant.
class CheckpointFolder {
 public:
  /// The folder need not exist before the first save.
  explicit CheckpointFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Whether there is no checkpoint, not even a damaged one. Throws: FileError when the files cannot be looked up.
  bool empty() const;
  /// Throws: as save_checkpoint; the older checkpoints are kept then.
  void save(const Checkpoint& checkpoint) const;

  struct Loaded {
    Checkpoint checkpoint;
    std::filesystem::path file;
    std::vector<std::string> damaged;  ///< what was wrong with each newer one; they are renamed to *.damaged
  };
  /// The newest whole checkpoint; completes a save that was killed between its renames. Throws: FileError when there is
  /// none, saying what is wrong with each, and when reading one fails, which need not mean that it is damaged.
  Loaded load() const;

 private:
  void finish_rotation() const;

  std::filesystem::path folder_;
};

}  // namespace temper
