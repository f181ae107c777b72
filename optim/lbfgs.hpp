#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <temper/autograd/parameter.hpp>
#include <temper/optim/state.hpp>

namespace temper::optim {

struct LBFGSOptions {
  int iterations = 20;               ///< directions searched in one step()
  int evaluations = 25;              ///< of the loss in one step(), at most, but for the one that ends a search
  int history = 10;                  ///< pairs of steps and changes of the gradient that stand for the Hessian
  double gradient_tolerance = 1e-7;  ///< done when no element of the gradient is larger
  double change_tolerance = 1e-9;    ///< done when neither loss nor any weight changes by more
  double c1 = 1e-4;                  ///< share of the slope by which the loss must fall
  double c2 = 0.9;                   ///< share of the slope that may be left
};

/// For losses of all data at once, smooth and without dropout: quasi-Newton steps along directions that the last pairs
/// of steps and gradients give, each with a line search to the strong Wolfe conditions. All of it in double; weights
/// are rounded to their own f32 whenever the loss is asked for.
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
  /// Computes the loss and the gradients of the parameters, as backward() leaves them.
  using Closure = std::function<double()>;

  struct Report {
    double before = 0.0, after = 0.0;  ///< the loss
    int iterations = 0, evaluations = 0;
    double largest_gradient = 0.0;  ///< element, at the end
    bool converged = false;         ///< whether one of the tolerances ended it
  };

  /// Throws: ValueError when there is no parameter, one is not f32, or the options are out of range.
  explicit LBFGS(std::vector<Parameter> parameters, const LBFGSOptions& options = {});
  ~LBFGS();
  LBFGS(LBFGS&&) noexcept;
  LBFGS& operator=(LBFGS&&) noexcept;

  /// Throws: ValueError when the loss or a gradient is not finite at the weights it begins with, or a parameter gets no
  /// gradient; what the closure throws. The weights are then those before the step.
  Report step(const Closure& closure);

  /// What step() has learned of the curvature. Throws: ValueError when two parameters share a name, or one has none.
  OptimizerState state() const;
  /// Throws: ValueError that says what does not fit; nothing has changed then.
  void load(const OptimizerState& state);

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace temper::optim
