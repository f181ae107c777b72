#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct AdafactorOptions {
  Schedule lr = 1e-2;           ///< the most that relative_step lets it be
  bool relative_step = true;    ///< min(lr, 1 / sqrt(t)) instead of lr, with t the parameter's updates
  bool scale_parameter = true;  ///< times the root mean square of the parameter, at least eps2
  Schedule beta1 = 0.0;         ///< of a momentum over the updates; none, and no memory for it, when it is the number 0
  Schedule decay_exponent = 0.8;  ///< the second moment keeps 1 - t^-decay_exponent of itself
  Schedule eps1 = 1e-30;          ///< added to squared gradients
  Schedule eps2 = 1e-3;
  Schedule clip_threshold = 1.0;  ///< the root mean square of an update is cut to this, before lr
  Schedule weight_decay = 0.0;    ///< decoupled
  Decay decay = Decay::coupled;
  bool cautious_decay = false;  ///< decay only elements that the step brings nearer to 0
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Adam without a momentum and with a second moment of one number per row and column instead of one per element. Of a
/// parameter of more than two axes, rows are the steps of its first axis; one of a single axis keeps all its moments.
/// The moments see whole parameters, between the reading of the gradients and a sweep of two phases.
/// Source: Shazeer, Stern, "Adafactor: adaptive learning rates with sublinear memory cost" (2018), algorithms 4 and 5.
class Adafactor final : public Optimizer {
 public:
  Adafactor(const Groups& groups, const AdafactorOptions& options = {});

 private:
  void transform(const Whole& whole) const override;
  void update(const Piece& piece) const override;

  bool relative_step_;
  bool scale_parameter_;
  Decay decay_;
  bool cautious_decay_;
};

}  // namespace temper::optim
