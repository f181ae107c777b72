#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct RpropOptions {
  Schedule lr = 0.01;     ///< the size of each element's first step; later sizes are its own
  Schedule shrink = 0.5;  ///< of a step whose gradient changed its sign
  Schedule grow = 1.2;    ///< of a step whose gradient kept it
  Schedule least = 1e-6;  ///< smallest and largest size
  Schedule most = 50.0;
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Steps of a size of each element's own, which grows while the gradient keeps its sign and shrinks when that changes;
/// of the gradient, only signs matter. For gradients of all data at once, not of small batches. An element whose
/// gradient changed its sign rests for one update. Source: Riedmiller, Braun, "A direct adaptive method for faster
/// backpropagation learning: the RPROP algorithm" (1993), as the variant without backtracking of Igel, Hüsken (2000),
/// which PyTorch has too.
class Rprop final : public Optimizer {
 public:
  Rprop(Groups groups, const RpropOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
};

}  // namespace temper::optim
