#pragma once

#include <map>
#include <string>

#include <temper/optim/schedule.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper::optim {

/// All that an optimizer needs to go on exactly, by name: what a checkpoint holds.
struct OptimizerState {
  /// "fc.weight/exp_avg" and its like, of the parameter's shape, and "fc.weight/counters", i64: the parameter's
  /// updates, then the bits of its running products and sums. Handles: clone what must not change with the next step.
  std::map<std::string, Tensor> tensors{};
  /// "optimizer", "k", "journal", the texts of all schedules, the groups' names and who is in them, what others noted.
  std::map<std::string, std::string> texts{};
};

struct LoadOptions {
  std::string allow_missing{};  ///< parameters whose names match may be absent and start anew; * and ? as in named()
  /// Whether schedules and settings may differ from those of the state, and parameters be in other groups. What a
  /// setting keeps per parameter (averages, a momentum, a compensation) starts anew or is dropped with it.
  bool accept_changes = false;
  bool check_only = false;  ///< find what does not fit, and load nothing
};

/// Where a parameter begins that was trained elsewhere, see Optimizer::start_from.
struct ParameterStart {
  Step updates = 0;  ///< made so far; 0 takes no tensors
  /// What the optimizer keeps per parameter, under its names: "exp_avg", "exp_avg_sq", "momentum_buffer". All of it,
  /// and of the dtype and shape that state() gives them. Copied.
  std::map<std::string, Tensor> tensors{};
  /// Whether the moments began with 0, so that they are corrected for `updates` updates. Without, they never are.
  bool bias_correction = true;
};

/// A decision taken during training: from step k on, the learning rate is multiplied by `factor`.
struct JournalEntry {
  Step k = 0;
  double factor = 1.0;
  std::string reason{};
};

}  // namespace temper::optim
