#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct AdamaxOptions {
  Schedule lr = 2e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule eps = 1e-8;
  Schedule l2 = 0.0;  ///< l2 * p is added to the gradient
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Adam with the infinity norm in place of the second moment.
/// Source: Kingma, Ba, "Adam: a method for stochastic optimization" (2015), algorithm 2.
class Adamax final : public Optimizer {
 public:
  Adamax(Groups groups, const AdamaxOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
};

}  // namespace temper::optim
