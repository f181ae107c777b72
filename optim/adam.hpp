#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct AdamOptions {
  Schedule lr = 1e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule eps = 1e-8;   ///< added to the root of the bias-corrected second moment
  Schedule l2 = 0.0;     ///< l2 * p is added to the gradient
  bool amsgrad = false;  ///< divide by the largest second moment so far
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
  Rounding rounding = Rounding::once;
  Moments moments = Moments::f32;
  std::uint64_t seed = 0;  ///< of the random rounding of narrow moments
};

struct AdamWOptions {
  Schedule lr = 1e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule eps = 1e-8;
  Schedule weight_decay = 0.01;  ///< decoupled: shrinks p, unseen by the moments
  Decay decay = Decay::coupled;
  bool amsgrad = false;
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
  Rounding rounding = Rounding::once;
  Moments moments = Moments::f32;
  std::uint64_t seed = 0;  ///< of the random rounding of narrow moments
};

/// Steps scaled by running moments of the gradient, with bias correction by each parameter's own updates.
/// Source: Kingma, Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1; AMSGrad: Reddi, Kale, Kumar,
/// "On the convergence of Adam and beyond" (2018).
class Adam : public Optimizer {
 public:
  Adam(Groups groups, const AdamOptions& options = {});

 protected:
  Adam(Groups groups, const AdamWOptions& options, Decay decay);

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
  void update_narrow(const Piece& piece) const;

  bool decoupled_;
  Decay decay_ = Decay::coupled;
  bool amsgrad_;
  Rounding rounding_;
  Moments moments_;
  std::uint64_t seed_;
};

/// Adam with decoupled weight decay. Without decay the two agree bit for bit.
/// Source: Loshchilov, Hutter, "Decoupled weight decay regularization" (2019), algorithm 2, as PyTorch has it.
class AdamW final : public Adam {
 public:
  AdamW(Groups groups, const AdamWOptions& options = {}) : Adam(std::move(groups), options, options.decay) {}
};

}  // namespace temper::optim
