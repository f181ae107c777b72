#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct LARSOptions {
  Schedule lr;
  Schedule momentum = 0.9;
  Schedule weight_decay = 0.0;  ///< added to the gradient before the step is scaled
  Schedule trust = 1e-3;        ///< the trust coefficient: norm of a step with lr 1 over the norm of the tensor
  Schedule eps = 1e-8;
  bool nesterov = false;
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
};

/// SGD with momentum for batches of thousands: the gradient of every tensor with two or more axes is scaled to a norm
/// proportional to the tensor's. Biases and gains are neither scaled nor decayed. Gradients enter the momentum
/// multiplied by the learning rate, as published.
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
