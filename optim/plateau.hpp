#pragma once

#include <temper/optim/optimizer.hpp>

namespace temper::optim {

/// Whether Plateau's threshold is relative to the best metric so far, or an absolute difference.
enum class Threshold { relative, absolute };

struct PlateauOptions {
  double factor = 0.1;         ///< factor of the learning rate at each reduction
  std::int64_t patience = 10;  ///< number of observations without improvement before a reduction
  double threshold = 1e-4;     ///< smallest change that counts as improvement
  Threshold mode = Threshold::relative;
  std::int64_t cooldown = 0;  ///< number of observations after a reduction that are not counted
  bool larger_is_better = false;
  double min_lr = 0.0;  ///< lower bound of the learning rate
  double eps = 1e-8;    ///< smallest reduction of the learning rate that is made
};

/// Lowers the learning rate when a metric stops improving, by a factor in the optimizer's journal, which multiplies the
/// schedules of all groups. `min_lr` applies to the group with the smallest rate. The counters are saved in the
/// optimizer's state. The defaults are those of PyTorch's ReduceLROnPlateau.
class Plateau {
 public:
  /// `name` tells several Plateaus of one optimizer apart. Throws: ValueError unless 0 < factor < 1 and all other
  /// options are at least 0.
  Plateau(Optimizer& optimizer, const PlateauOptions& options = {}, std::string name = "plateau");

  /// Call after every evaluation. Returns whether the learning rate was lowered.
  bool observe(double metric);

 private:
  Optimizer& optimizer_;
  PlateauOptions options_;
  std::string name_;
};

}  // namespace temper::optim
