#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct ProdigyOptions {
  Schedule lr = 1.0;  ///< factor of the estimated rate: 1, or a schedule that falls from 1. The same in all groups
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule eps = 1e-8;
  Schedule weight_decay = 0.0;    ///< decoupled
  double d0 = 1e-6;               ///< initial estimate; use 1e-5 to 1e-4 if the estimate does not grow
  Schedule d_coef = 1.0;          ///< factor of the estimate
  Schedule growth = no_clipping;  ///< bound of the factor by which the estimate grows in an update, such as 1.02
  bool bias_correction = false;
  bool safeguard_warmup = false;  ///< do not let a warm-up of lr enter the estimate
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// AdamW that estimates its learning rate: d is a lower bound of the distance from the initial to the optimal weights,
/// and never decreases. There is one estimate for all parameters, saved in the state.
/// Source: Mishchenko, Defazio, "Prodigy: an expeditiously adaptive parameter-free learner" (2023), algorithm 4 and the
/// authors' code.
class Prodigy final : public Optimizer {
 public:
  /// Throws: ValueError unless d0 is positive.
  Prodigy(Groups groups, const ProdigyOptions& options = {});

  /// The current estimate. The next update's learning rate is d times lr.
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
