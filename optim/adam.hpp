#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim_kernels {
struct AdamScalars;
}

namespace temper::optim {

struct AdamOptions {
  Schedule lr = 1e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule eps = 1e-8;    ///< added to the root of the bias-corrected second moment
  Schedule l2 = 0.0;      ///< l2 * p is added to the gradient
  bool amsgrad = false;   ///< divide by the largest second moment so far
  bool nesterov = false;  ///< step by beta1 m + (1 - beta1) g instead of by m
  bool cautious = false;  ///< update only elements whose step has the gradient's sign, with larger steps
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
  Rounding rounding = Rounding::once;
  Moments moments = Moments::f32;
  std::uint64_t seed = 0;  ///< of the stochastic rounding of bf16 and 8-bit moments
  Rows rows = Rows::lazy;  ///< of sparse parameters
};

struct AdamWOptions {
  Schedule lr = 1e-3;
  Schedule beta1 = 0.9;
  Schedule beta2 = 0.999;
  Schedule eps = 1e-8;
  Schedule weight_decay = 0.01;  ///< decoupled: shrinks p, without entering the moments
  Decay decay = Decay::coupled;
  bool amsgrad = false;
  bool nesterov = false;        ///< NAdamW
  bool cautious = false;        ///< update only elements whose step has the gradient's sign, with larger steps
  bool cautious_decay = false;  ///< decay only elements that the step moves towards 0
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
  Rounding rounding = Rounding::once;
  Moments moments = Moments::f32;
  std::uint64_t seed = 0;  ///< of the stochastic rounding of bf16 and 8-bit moments
  Rows rows = Rows::lazy;  ///< of sparse parameters
};

/// Steps scaled by running moments of the gradient, with bias correction by the number of each parameter's own updates.
/// Source: Kingma, Ba, "Adam: a method for stochastic optimization" (2015), algorithm 1; AMSGrad: Reddi, Kale, Kumar,
/// "On the convergence of Adam and beyond" (2018). With `.nesterov`, the step is lr / (1 - beta1^t) (beta1 m + (1 -
/// beta1) g) over the corrected root, as in the baseline of AlgoPerf (Dahl et al., 2023) and in timm; optax corrects
/// each of the two terms separately, and NAdam also schedules beta1. Source of `.cautious`: Liang et al., "Cautious
/// optimizers" (2024).
///
/// Of a sparse parameter, Rows::lazy changes the rows with a gradient alone, each with the bias correction of its own
/// updates (PyTorch's SparseAdam corrects by the step, which makes the first steps of rare rows too large). Rows::exact
/// gives what a parameter that is not sparse would have: bit for bit while no row is without a gradient for so long
/// that its momentum falls below 2^-28 of what it was (186 updates with the usual betas); what remains of the momentum
/// then, less than the rounding of what it has moved, is dropped. It needs moments in f32 and Rounding::once, without
/// amsgrad, nesterov and cautious steps.
class Adam : public Optimizer {
 public:
  Adam(const Groups& groups, const AdamOptions& options = {});

 protected:
  Adam(const Groups& groups, const AdamWOptions& options, Decay decay);

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;
  void update_narrow(const Piece& piece) const;
  void update_plain(const Piece& piece, const optim_kernels::AdamScalars& scalars) const;
  void update_cautious(const Piece& piece, const optim_kernels::AdamScalars& scalars) const;
  void update_row(const Piece& piece) const;

  bool decoupled_;
  Decay decay_ = Decay::coupled;
  bool amsgrad_;
  bool nesterov_;
  bool cautious_;
  bool cautious_decay_ = false;
  Rounding rounding_;
  Moments moments_;
  std::uint64_t seed_;
  Rows rows_;
};

/// Adam with decoupled weight decay. With a decay of 0, Adam and AdamW agree bit for bit. With `.nesterov` it is
/// NAdamW. Source of `.cautious_decay`: Chen et al., "Cautious weight decay" (2025). Source: Loshchilov, Hutter,
/// "Decoupled weight decay regularization" (2019), algorithm 2, as in PyTorch.
class AdamW final : public Adam {
 public:
  AdamW(const Groups& groups, const AdamWOptions& options = {}) : Adam(groups, options, options.decay) {}
};

}  // namespace temper::optim
