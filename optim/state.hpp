#pragma once

#include <map>
#include <string>

#include <temper/optim/schedule.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper::optim {

/// All that an optimizer needs to resume exactly, by name: its part of a checkpoint.
struct OptimizerState {
  /// "fc.weight/exp_avg" and the like, of the parameter's shape, and "fc.weight/counters", i64: the parameter's number
  /// of updates, then the bits of its running products and sums. They share memory with the optimizer: clone to keep.
  std::map<std::string, Tensor> tensors{};
  /// "optimizer", "k", "journal", the texts of all schedules, the groups' names and parameters, notes of other code.
  std::map<std::string, std::string> texts{};
};

struct LoadOptions {
  std::string allow_missing{};  ///< pattern, as in named(), of parameters that may lack a state and start anew
  /// Whether schedules, settings and groups may differ from those of the state. State that depends on a changed setting
  /// (averages, a momentum, a compensation) starts anew or is dropped.
  bool accept_changes = false;
  bool check_only = false;  ///< only check whether the state fits, and load nothing
};

/// The state of a parameter that another program trained, see Optimizer::start_from.
struct ParameterStart {
  Step updates = 0;  ///< number of updates so far; with 0 there must be no tensors
  /// The optimizer's tensors for the parameter by their names: "exp_avg", "exp_avg_sq", "momentum_buffer". All of them,
  /// with the dtypes and shapes that state() has. They are copied.
  std::map<std::string, Tensor> tensors{};
  /// Whether the moments started at 0, so that they are bias-corrected for `updates` updates. Otherwise they never are.
  bool bias_correction = true;
};

/// An entry of the journal: from step k on, the learning rate is multiplied by `factor`.
struct JournalEntry {
  Step k = 0;
  double factor = 1.0;
  std::string reason{};
};

}  // namespace temper::optim
