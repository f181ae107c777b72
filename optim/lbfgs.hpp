#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/optim/state.hpp>

namespace temper::optim {

struct LBFGSOptions {
  int iterations = 20;               ///< maximum number of line searches in one step()
  int evaluations = 25;              ///< maximum number of evaluations of the loss in one step(), plus one at its end
  int history = 10;                  ///< number of pairs of steps and gradient changes that approximate the Hessian
  double gradient_tolerance = 1e-7;  ///< converged when no element of the gradient is larger
  double change_tolerance = 1e-9;    ///< converged when neither the loss nor any weight changes by more
  double c1 = 1e-4;                  ///< sufficient decrease (Wolfe): the loss must fall by c1 * slope * step
  double c2 = 0.9;                   ///< curvature condition (Wolfe): |slope| must fall to c2 times the initial one
};

/// A quasi-Newton method for smooth losses over all data at once, without dropout. The last steps and gradient changes
/// approximate the inverse Hessian; line searches satisfy the strong Wolfe conditions. Computes in double; weights are
/// rounded to f32 whenever the loss is evaluated.
///
///     LBFGS lbfgs(model.parameters());
///     lbfgs.step([&] {
///       Tape tape;
///       const Tensor loss = mse_loss(model(inputs), targets);
///       tape.backward(loss);
///       return loss.item();
///     });
///
/// Source: Nocedal, Wright, "Numerical optimization" (2006), algorithms 7.4, 7.5, 3.5 and 3.6.
class LBFGS {
 public:
  /// Returns the loss, after computing the gradients of the parameters with backward().
  using Closure = std::function<double()>;

  struct Report {
    double before = 0.0, after = 0.0;  ///< the loss
    int iterations = 0, evaluations = 0;
    double largest_gradient = 0.0;  ///< largest absolute element of the gradient, at the end
    bool converged = false;         ///< whether a tolerance was reached
  };

  /// Throws: ValueError when there is no parameter, one is not f32, or the options are out of range.
  explicit LBFGS(std::vector<Parameter> parameters, const LBFGSOptions& options = {});
  ~LBFGS();
  LBFGS(LBFGS&&) noexcept;
  LBFGS& operator=(LBFGS&&) noexcept;

  /// Throws: ValueError when the loss or a gradient is not finite at the initial weights, or a parameter gets no
  /// gradient; what the closure throws. The weights are restored to those before the step then.
  Report step(const Closure& closure);

  /// The approximation of the Hessian. Throws: ValueError when two parameters share a name, or one has none.
  OptimizerState state() const;
  /// Throws: ValueError that says what does not fit; nothing has changed then.
  void load(const OptimizerState& state);

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace temper::optim
