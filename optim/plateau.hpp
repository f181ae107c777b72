#pragma once

#include <temper/optim/optimizer.hpp>

namespace temper::optim {

/// What Plateau's threshold is measured in: shares of the best metric so far, or the metric itself.
enum class Threshold { relative, absolute };

struct PlateauOptions {
  double factor = 0.1;         ///< what the learning rate is multiplied with
  std::int64_t patience = 10;  ///< observations without improvement that are borne
  double threshold = 1e-4;     ///< change that counts as improvement
  Threshold mode = Threshold::relative;
  std::int64_t cooldown = 0;  ///< observations after a reduction that do not count
  bool larger_is_better = false;
  double min_lr = 0.0;  ///< the learning rate is not lowered below this: the last reduction stops there
  double eps = 1e-8;    ///< a reduction by less is not made
};

/// Lowers the learning rate when a metric stops improving, by an entry in the optimizer's journal: it multiplies
/// whatever schedule there is, for all groups alike. `min_lr` holds for the group with the smallest rate. The counters
/// are kept with the optimizer and saved in its state. The defaults are those of PyTorch's ReduceLROnPlateau.
class Plateau {
 public:
  /// `name` tells several of one optimizer apart. Throws: ValueError unless 0 < factor < 1 and the rest is not
  /// negative.
  Plateau(Optimizer& optimizer, const PlateauOptions& options = {}, std::string name = "plateau");

  /// Call after every evaluation. Returns whether the learning rate was lowered.
  bool observe(double metric);

 private:
  Optimizer& optimizer_;
  PlateauOptions options_;
  std::string name_;
};

}  // namespace temper::optim
