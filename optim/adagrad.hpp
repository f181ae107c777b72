#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct AdagradOptions {
  Schedule lr = 0.01;
  Schedule lr_decay = 0.0;  ///< lr / (1 + lr_decay (t - 1))
  Schedule eps = 1e-10;
  Schedule l2 = 0.0;       ///< l2 * p is added to the gradient
  Schedule initial = 0.0;  ///< initial value of the sums
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Steps scaled by the sum of all squared gradients so far.
/// Source: Duchi, Hazan, Singer, "Adaptive subgradient methods" (2011).
class Adagrad final : public Optimizer {
 public:
  Adagrad(Groups groups, const AdagradOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
};

}  // namespace temper::optim
