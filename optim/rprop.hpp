#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct RpropOptions {
  Schedule lr = 0.01;     ///< size of each element's first step; later sizes are adapted
  Schedule shrink = 0.5;  ///< factor of the step size when the gradient changed its sign
  Schedule grow = 1.2;    ///< factor of the step size when the gradient kept its sign
  Schedule least = 1e-6;  ///< smallest and largest step size
  Schedule most = 50.0;
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Steps by the sign of the gradient, with a step size for each element that grows while the sign stays the same and
/// shrinks when it changes. For full-batch gradients, not for small batches. An element whose gradient changed its sign
/// is not updated in that step. Source: Riedmiller, Braun, "A direct adaptive method for faster backpropagation
/// learning: the RPROP algorithm" (1993), in the variant without backtracking of Igel, Hüsken (2000), as in PyTorch.
///
class Rprop final : public Optimizer {
 public:
  Rprop(Groups groups, const RpropOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
};

}  // namespace temper::optim
