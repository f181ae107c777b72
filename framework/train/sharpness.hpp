#pragma once

#include <vector>

#include <temper/core/random.hpp>
#include <temper/nn/module.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper {

struct SharpnessOptions {
  double rho = 0.05;      ///< norm of the perturbation of the weights; use 0.5 to 2 when adaptive
  bool adaptive = false;  ///< scale the perturbation by each weight's magnitude (ASAM)
};

namespace detail {

/// Moves the optimizer's parameters along their gradients, to a larger loss, and drops the gradients. The destructor
/// restores parameters and the model's buffers, bit by bit.
class PerturbedWeights {
 public:
  PerturbedWeights(const nn::Module& model, const optim::Optimizer& optimizer, const SharpnessOptions& options);
  ~PerturbedWeights();
  PerturbedWeights(const PerturbedWeights&) = delete;
  PerturbedWeights& operator=(const PerturbedWeights&) = delete;

 private:
  struct Saved {
    Tensor tensor, before;
  };
  std::vector<Saved> saved_;
};

}  // namespace detail

/// A step of sharpness-aware minimization (SAM): an update by the gradient at the point near the weights where the loss
/// is largest. `loss` computes the loss of a batch on a tape of its own and calls its backward(); it is called twice,
/// with the same dropout masks. Running statistics are updated by the first call alone.
///
///     sharpness_aware_step(model, adamw, [&] {
///       Tape tape;
///       tape.backward(cross_entropy(model(images), labels));
///     });
///
/// Throws: ValueError when rho is not positive; as Optimizer::step().
/// Source: Foret et al., "Sharpness-aware minimization for efficiently improving generalization" (2021); adaptive: Kwon
/// et al., "ASAM" (2021).
template <class Loss>
optim::StepReport sharpness_aware_step(const nn::Module& model, optim::Optimizer& optimizer, Loss&& loss,
                                       const SharpnessOptions& options = {}) {
  const RandomState random = random_state();
  loss();
  {
    const detail::PerturbedWeights perturbed(model, optimizer, options);
    set_random_state(random);
    loss();
  }
  return optimizer.step();
}

}  // namespace temper
