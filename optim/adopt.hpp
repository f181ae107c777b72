#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct ADOPTOptions {
  Schedule lr = 1e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.9999;
  Schedule eps = 1e-6;            ///< lower bound of the divisor sqrt(v); not added to it
  Schedule clip_exponent = 0.25;  ///< normalized gradients are clipped to (t - 1)^clip_exponent; t: parameter's updates
  Schedule weight_decay = 0.0;    ///< decoupled
  Decay decay = Decay::coupled;
  bool cautious = false;        ///< update only elements whose step has the gradient's sign, with larger steps
  bool cautious_decay = false;  ///< decay only elements that the step moves towards 0
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Adam that converges for any beta2: the gradient is divided by the root of the second moment of the previous
/// gradients, and the momentum averages these quotients. The first update of a parameter only initializes its second
/// moment. Source: Taniguchi et al., "ADOPT: modified Adam can converge with any beta2 with the optimal rate" (2024),
/// and the authors' code.
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
