#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct ADOPTOptions {
  Schedule lr = 1e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.9999;
  Schedule eps = 1e-6;            ///< the least that a gradient is divided by; not added
  Schedule clip_exponent = 0.25;  ///< normed gradients are cut to (t - 1)^clip_exponent, with t the parameter's updates
  Schedule weight_decay = 0.0;    ///< decoupled
  Decay decay = Decay::coupled;
  bool cautious = false;        ///< move only elements whose step agrees with the gradient, and those the more
  bool cautious_decay = false;  ///< decay only elements that the step brings nearer to 0
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Adam that converges for any beta2: the gradient is divided by the second moment of the gradients before it, and the
/// momentum is one of such quotients. The first update of a parameter makes its second moment and moves nothing.
/// Source: Taniguchi et al., "ADOPT: modified Adam can converge with any beta2 with the optimal rate" (2024), as its
/// authors' code has it.
class ADOPT final : public Optimizer {
 public:
  ADOPT(Groups groups, const ADOPTOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;

  Decay decay_;
  bool cautious_, cautious_decay_;
};

}  // namespace temper::optim
