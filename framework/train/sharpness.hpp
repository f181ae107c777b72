#pragma once

#include <vector>

#include <temper/core/random.hpp>
#include <temper/nn/module.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper {

struct SharpnessOptions {
  double rho = 0.05;      ///< how far uphill the gradient is taken; 0.5 to 2 when adaptive
  bool adaptive = false;  ///< in proportion to each weight's size (ASAM)
};

namespace detail {

/// While one lives, the optimizer's parameters are moved uphill along the gradients that waited, which are dropped, and
/// the model's buffers are kept. At its end all of them are what they were, to the last bit.
class UphillWeights {
 public:
  UphillWeights(const nn::Module& model, const optim::Optimizer& optimizer, const SharpnessOptions& options);
  ~UphillWeights();
  UphillWeights(const UphillWeights&) = delete;
  UphillWeights& operator=(const UphillWeights&) = delete;

 private:
  struct Kept {
    Tensor there, before;
  };
  std::vector<Kept> kept_;
};

}  // namespace detail

/// One update by the gradient at the worst point near the weights: sharpness-aware minimization. `loss` records a pass
/// over a batch on a tape of its own and calls its backward(); it is called twice, and sees the same dropout masks both
/// times. Batch statistics move in the first pass alone. Where all gradients are 0, the second pass is as the first.
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
    const detail::UphillWeights uphill(model, optimizer, options);
    set_random_state(random);
    loss();
  }
  return optimizer.step();
}

}  // namespace temper
