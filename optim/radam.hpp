#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct RAdamOptions {
  Schedule lr = 1e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule eps = 1e-8;
  Schedule l2 = 0.0;  ///< l2 * p is added to the gradient
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Adam with rectified steps: those of SGD with momentum until the variance of the second moment is tractable.
/// Source: Liu et al., "On the variance of the adaptive learning rate and beyond" (2020), algorithm 2.
class RAdam final : public Optimizer {
 public:
  RAdam(Groups groups, const RAdamOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
};

}  // namespace temper::optim
