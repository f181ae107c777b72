#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct LAMBOptions {
  Schedule lr = 1e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule eps = 1e-6;
  Schedule weight_decay = 0.01;  ///< part of the step
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// AdamW whose step, including the decay, is scaled for every tensor so that its norm is lr times that of the tensor.
/// Takes two phases, because the norm of the step must be known before it is applied.
/// Source: You et al., "Large batch optimization for deep learning" (2020), algorithm 2.
class LAMB final : public Optimizer {
 public:
  LAMB(Groups groups, const LAMBOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
};

}  // namespace temper::optim
