#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct LionOptions {
  Schedule lr = 1e-4;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.99;
  Schedule weight_decay = 0.0;  ///< decoupled
  Decay decay = Decay::coupled;
  bool cautious = false;        ///< update only elements whose step has the gradient's sign, with larger steps
  bool cautious_decay = false;  ///< decay only elements that the step moves towards 0
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// Steps by the sign of a momentum, so of the same size in every element. Use an lr 3 to 10 times smaller than AdamW's,
/// and a weight decay larger by the same factor.
/// Source: Chen et al., "Symbolic discovery of optimization algorithms" (2023), algorithm 2.
class Lion final : public Optimizer {
 public:
  Lion(Groups groups, const LionOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;

  Decay decay_;
  bool cautious_, cautious_decay_;
};

}  // namespace temper::optim
