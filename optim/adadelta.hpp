#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct AdadeltaOptions {
  Schedule lr = 1.0;
  Schedule rho = 0.9;  ///< decay of both running means
  Schedule eps = 1e-6;
  Schedule l2 = 0.0;  ///< l2 * p is added to the gradient
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// The gradient times the root mean square of the previous steps, divided by that of the gradients, so that steps have
/// the unit of the parameter.
/// Source: Zeiler, "ADADELTA: an adaptive learning rate method" (2012), algorithm 1; lr as in PyTorch.
class Adadelta final : public Optimizer {
 public:
  Adadelta(Groups groups, const AdadeltaOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
};

}  // namespace temper::optim
