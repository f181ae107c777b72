#pragma once

#include <map>
#include <string>

#include <temper/optim/schedule.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper::optim {

/// All that an optimizer needs to go on exactly, by name: what a checkpoint holds.
struct OptimizerState {
  /// "fc.weight/exp_avg" and its like, of the parameter's shape, and "fc.weight/counters", i64: the parameter's
  /// updates, then the bits of its running products. Handles: clone what must not change with the next step.
  std::map<std::string, Tensor> tensors{};
  /// "optimizer", "k", "journal", the texts of all schedules, and what others noted.
  std::map<std::string, std::string> texts{};
};

struct LoadOptions {
  std::string allow_missing{};  ///< parameters whose names match may be absent and start anew; * and ? as in named()
  bool accept_changes = false;  ///< whether schedules and settings may differ from those of the state
  bool check_only = false;      ///< find what does not fit, and load nothing
};

/// A decision taken during training: from step k on, the learning rate is multiplied by `factor`.
struct JournalEntry {
  Step k = 0;
  double factor = 1.0;
  std::string reason{};
};

}  // namespace temper::optim
