#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct RMSpropOptions {
  Schedule lr = 0.01;
  Schedule alpha = 0.99;  ///< decay of the running mean
  Schedule eps = 1e-8;
  Schedule momentum = 0.0;
  bool centered = false;  ///< divide by the standard deviation instead of the root mean square
  Schedule l2 = 0.0;      ///< l2 * p is added to the gradient
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Steps scaled by a running mean of squared gradients, with eps outside the root as in PyTorch.
/// Source: Tieleman, Hinton, "Lecture 6.5" (2012); centered: Graves, "Generating sequences" (2013).
class RMSprop final : public Optimizer {
 public:
  RMSprop(const Groups& groups, const RMSpropOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;

  bool centered_;
};

}  // namespace temper::optim
