#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

/// How AdEMAMix's beta3 comes up from beta1 to its full value over `n` updates: evenly in the half-life of the average.
/// Source: Pagliardini, Ablin, Grangier, "The AdEMAMix optimizer: better, faster, older" (2024), section 3.
Schedule beta3_warmup(double beta1, double beta3, StepCount n);

struct AdEMAMixOptions {
  Schedule lr = 1e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule beta3 = 0.9999;  ///< of the slow average: beta3_warmup(0.9, 0.9999, n) for a run of n updates
  Schedule alpha = 5.0;     ///< weight of the slow average: 5 * warmup(n) for a run of n updates
  Schedule eps = 1e-8;
  Schedule weight_decay = 0.01;  ///< decoupled
  Decay decay = Decay::coupled;
  bool cautious = false;        ///< move only elements whose step agrees with the gradient, and those the more
  bool cautious_decay = false;  ///< decay only elements that the step brings nearer to 0
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// AdamW with a second momentum, of thousands of updates, which is not corrected for its start at 0. Over a whole run
/// both `alpha` and `beta3` are warmed up, or it diverges early.
/// Source: Pagliardini, Ablin, Grangier, "The AdEMAMix optimizer: better, faster, older" (2024).
class AdEMAMix final : public Optimizer {
 public:
  AdEMAMix(Groups groups, const AdEMAMixOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;

  Decay decay_;
  bool cautious_, cautious_decay_;
};

}  // namespace temper::optim
