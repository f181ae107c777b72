#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct AdafactorOptions {
  Schedule lr = 1e-2;             ///< learning rate, or its upper bound with relative_step
  bool relative_step = true;      ///< min(lr, 1 / sqrt(t)) instead of lr, with t the number of the parameter's updates
  bool scale_parameter = true;    ///< multiply lr by the root mean square of the parameter, at least eps2
  Schedule beta1 = 0.0;           ///< decay of a momentum of the updates; 0: no momentum, and no memory for it
  Schedule decay_exponent = 0.8;  ///< the decay of the second moment is 1 - t^-decay_exponent
  Schedule eps1 = 1e-30;          ///< added to squared gradients
  Schedule eps2 = 1e-3;
  Schedule clip_threshold = 1.0;  ///< bound of the root mean square of an update, before lr
  Schedule weight_decay = 0.0;    ///< decoupled
  Decay decay = Decay::coupled;
  bool cautious_decay = false;  ///< decay only elements that the step moves towards 0
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Adam without momentum, and with one second moment per row and per column instead of one per element. The rows of a
/// parameter with more than two axes are the indices of its first axis; one with a single axis has a second moment for
/// each element. Moments are computed on whole parameters, before the update.
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
