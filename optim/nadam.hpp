#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct NAdamOptions {
  Schedule lr = 2e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule eps = 1e-8;
  Schedule l2 = 0.0;  ///< l2 * p is added to the gradient
  Schedule momentum_decay = 4e-3;
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
  bool torch_1_13 = false;  ///< count the momentum twice in the next step's product, as PyTorch 1.13 does
};

/// Adam with Nesterov momentum and a warm-up of beta1, as published and in PyTorch from 2.0 on. Up to 1.13 PyTorch
/// counted the momentum of the next step twice, which `torch_1_13` reproduces. Source: Dozat,
/// "Incorporating Nesterov momentum into Adam" (2016).
class NAdam final : public Optimizer {
 public:
  NAdam(Groups groups, const NAdamOptions& options = {});

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;

  bool torch_1_13_;
};

}  // namespace temper::optim
