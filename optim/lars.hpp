#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct LARSOptions {
  Schedule lr;
  Schedule momentum = 0.9;
  Schedule weight_decay = 0.0;  ///< part of the step, before it is scaled to the size of the tensor
  Schedule trust = 1e-3;        ///< what a step of lr 1 is of the tensor's norm
  Schedule eps = 1e-8;
  bool nesterov = false;
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// SGD with momentum whose gradients have, for every tensor of two axes and more, a norm in proportion to the tensor's;
/// for batches of thousands. Biases and gains are neither scaled nor decayed. The rate is taken into the momentum with
/// each gradient, as published.
/// Source: You, Gitman, Ginsburg, "Large batch training of convolutional networks" (2017), algorithm 1.
class LARS final : public Optimizer {
 public:
  LARS(Groups groups, const LARSOptions& options);

 private:
  void update(const Piece& piece) const override;

  bool nesterov_;
  std::vector<bool> scaled_;  // per parameter
};

}  // namespace temper::optim
