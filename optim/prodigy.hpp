#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct ProdigyOptions {
  Schedule lr =
      1.0;  ///< a factor on the rate that is found; leave it 1, or a schedule that falls from 1. The same for all
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule eps = 1e-8;
  Schedule weight_decay = 0.0;    ///< decoupled
  double d0 = 1e-6;               ///< the first estimate: 1e-5 to 1e-4 where it does not get off the ground
  Schedule d_coef = 1.0;          ///< factor on the estimate
  Schedule growth = no_clipping;  ///< the most that the estimate grows by in one update; 1.02 is a warm-up of its own
  bool bias_correction = false;
  bool safeguard_warmup = false;  ///< estimate as if lr were 1, while it warms up
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// AdamW that finds its learning rate: d estimates the distance from the first weights to the best ones, from below,
/// and only grows. The estimate is one for all parameters, and part of the state. Source: Mishchenko, Defazio,
/// "Prodigy: an expeditiously adaptive parameter-free learner" (2023), algorithm 4 and its authors' code.
class Prodigy final : public Optimizer {
 public:
  /// Throws: ValueError unless d0 is positive.
  Prodigy(Groups groups, const ProdigyOptions& options = {});

  /// The estimate now. It times lr is the rate of the next update.
  double d() const;

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
  void between_phases(int phase, Now now, const std::array<double, 2>& totals,
                      std::span<double> globals) const override;

  double d0_;
  bool bias_correction_, safeguard_warmup_;
};

}  // namespace temper::optim
