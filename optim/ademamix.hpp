#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

/// AdEMAMix's warm-up of beta3, from beta1 to its full value over `n` updates: linear in the half-life of the average.
/// Source: Pagliardini, Ablin, Grangier, "The AdEMAMix optimizer: better, faster, older" (2024), section 3.
Schedule beta3_warmup(double beta1, double beta3, StepCount n);

struct AdEMAMixOptions {
  Schedule lr = 1e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule beta3 = 0.9999;  ///< decay of the slow average: use beta3_warmup(0.9, 0.9999, n) for a run of n updates
  Schedule alpha = 5.0;     ///< weight of the slow average: use 5 * warmup(n) for a run of n updates
  Schedule eps = 1e-8;
  Schedule weight_decay = 0.01;  ///< decoupled
  Decay decay = Decay::coupled;
  bool cautious = false;        ///< update only elements whose step has the gradient's sign, with larger steps
  bool cautious_decay = false;  ///< decay only elements that the step moves towards 0
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// AdamW with a second, slow momentum over thousands of updates, without bias correction. Warm up both `alpha` and
/// `beta3` over the whole run, as it diverges early otherwise.
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
