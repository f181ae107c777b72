#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct AdadeltaOptions {
  Schedule lr = 1.0;
  Schedule rho = 0.9;  ///< what both means keep of themselves
  Schedule eps = 1e-6;
  Schedule l2 = 0.0;  ///< l2 * p is added to the gradient
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Steps in the parameter's own unit: gradients times the root mean square of the steps so far over that of the
/// gradients.
/// Source: Zeiler, "ADADELTA: an adaptive learning rate method" (2012), algorithm 1; lr as PyTorch has it.
class Adadelta final : public Optimizer {
 public:
  Adadelta(Groups groups, const AdadeltaOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
};

}  // namespace temper::optim
