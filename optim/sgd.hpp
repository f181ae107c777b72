#pragma once

#include <temper/optim/modes.hpp>
#include <temper/optim/optimizer.hpp>

namespace temper::optim {

struct SGDOptions {
  Schedule lr;
  Schedule momentum = 0.0;
  Schedule dampening = 0.0;  ///< the gradient enters the momentum times 1 - dampening, except in the first update
  bool nesterov = false;
  bool cautious = false;  ///< update only elements whose step has the gradient's sign, with larger steps
  Schedule l2 = 0.0;      ///< l2 * p is added to the gradient
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
  Rounding rounding = Rounding::once;
  Rows rows = Rows::lazy;  ///< of sparse parameters
};

struct SGDWOptions {
  Schedule lr;
  Schedule momentum = 0.0;
  Schedule dampening = 0.0;
  bool nesterov = false;
  bool cautious = false;  ///< update only elements whose step has the gradient's sign, with larger steps
  Schedule weight_decay = 0.0;
  Decay decay = Decay::coupled;
  bool cautious_decay = false;  ///< decay only elements that the step moves towards 0
  Schedule clip_norm = no_clipping;
  NonFinite nonfinite = NonFinite::raise;
  bool maximize = false;
  Rounding rounding = Rounding::once;
  Rows rows = Rows::lazy;  ///< of sparse parameters
};

/// Stochastic gradient descent with momentum; lr multiplies the momentum, not the gradients in it, as in PyTorch.
/// Of a sparse parameter, Rows::lazy changes the rows with a gradient alone, their momentum included; Rows::exact gives
/// what a parameter that is not sparse would have, as Adam does, and needs Rounding::once. Without momentum, l2 and
/// decay both are the same. Source: Sutskever, Martens, Dahl, Hinton, "On the importance of initialization and
/// momentum" (2013).
class SGD : public Optimizer {
 public:
  SGD(const Groups& groups, const SGDOptions& options);
  SGD(const Groups&) = delete;  // lr has no default: SGD(parameters, {.lr = 0.1})

 protected:
  SGD(const Groups& groups, const SGDWOptions& options, Decay decay);

 private:
  void prepare(Now& now) const override;
  void update(const Piece& piece) const override;

  bool nesterov_;
  bool cautious_;
  bool cautious_decay_ = false;
  bool decoupled_;
  Decay decay_ = Decay::coupled;
  Rounding rounding_;
  Rows rows_;
};

/// SGD with decoupled weight decay. Without momentum it equals SGD with .l2; with momentum it does not.
/// Source: Loshchilov, Hutter, "Decoupled weight decay regularization" (2019), algorithm 1.
class SGDW final : public SGD {
 public:
  SGDW(const Groups&) = delete;  // lr has no default: SGDW(parameters, {.lr = 0.1})
  SGDW(const Groups& groups, const SGDWOptions& options) : SGD(groups, options, options.decay) {}
};

}  // namespace temper::optim
