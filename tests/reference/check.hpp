#pragma once

// Runs a reference implementation: its outputs, its gradients, the sums of absolute terms of both, and a comparison of
// the gradients with differences.

#include <functional>

#include "tests/larger.hpp"
#include "tests/reference/array.hpp"
#include "tests/reference/var.hpp"

namespace temper::reference {

/// The forward of an operation for two scalar types: double, to compute differences, and Var, to compute
/// gradients.
class Reference {
 public:
  template <class Forward>
  Reference(Forward forward) : plain(forward), recorded(forward) {}

  std::function<Arrays<double>(const Arrays<double>&, const Attributes&)> plain;
  std::function<Arrays<Var>(const Arrays<Var>&, const Attributes&)> recorded;
};

/// An array of expected values, and the sums of absolute terms that rounding errors are relative to.
struct Expected {
  Array<double> value;
  Array<double> terms;
};

struct Result {
  std::vector<Expected> outputs;
  std::vector<Expected> gradients;  // one per input; zeros if it was not requested
};

namespace detail {

inline Array<double> gathered(const Array<Var>& nodes, auto&& read) {
  Array<double> result(nodes.shape);
  for (std::int64_t i = 0; i < nodes.numel(); ++i) result[i] = read(nodes[i]);
  return result;
}

inline double weighted_sum(const Arrays<double>& outputs, const Arrays<double>& weights) {
  double sum = 0;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    for (std::int64_t i = 0; i < outputs[k].numel(); ++i) sum += outputs[k][i] * weights[k][i];
  }
  return sum;
}

}  // namespace detail

/// Runs a reference. The loss that is differentiated is the sum of outputs times `weights`, one array per output.
inline Result run(const Reference& reference, const Arrays<double>& inputs, const std::vector<bool>& differentiable,
                  const Arrays<double>& weights, const Attributes& attributes) {
  Var::clear();
  Arrays<Var> variables;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    Array<Var> variable(inputs[k].shape);
    for (std::int64_t i = 0; i < variable.numel(); ++i) {
      variable[i] = differentiable[k] ? Var::input(inputs[k][i]) : Var(inputs[k][i]);
    }
    variables.push_back(std::move(variable));
  }
  const Arrays<Var> outputs = reference.recorded(variables, attributes);

  Result result;
  std::vector<Var> all_outputs;
  std::vector<double> all_weights;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    result.outputs.push_back({detail::gathered(outputs[k], [](const Var& y) { return y.value(); }),
                              detail::gathered(outputs[k], [](const Var& y) { return y.terms(); })});
    all_outputs.insert(all_outputs.end(), outputs[k].values.begin(), outputs[k].values.end());
    all_weights.insert(all_weights.end(), weights[k].values.begin(), weights[k].values.end());
  }
  const Var::Adjoints adjoints = Var::backward(all_outputs, all_weights);
  for (const Array<Var>& variable : variables) {
    const auto reader = [](const std::vector<double>& from) {
      return [&from](const Var& x) { return x.node() < 0 ? 0.0 : from[static_cast<std::size_t>(x.node())]; };
    };
    result.gradients.push_back(
        {detail::gathered(variable, reader(adjoints.value)), detail::gathered(variable, reader(adjoints.terms))});
  }
  return result;
}

/// The largest difference between the gradients of `result` and central differences of the reference, relative to the
/// largest gradient of the same input.
inline double difference_error(const Reference& reference, const Arrays<double>& inputs,
                               const std::vector<bool>& differentiable, const Arrays<double>& weights,
                               const Attributes& attributes, const Result& result) {
  double worst = 0;
  Arrays<double> moved = inputs;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!differentiable[k] || inputs[k].numel() == 0) continue;
    const Array<double>& gradient = result.gradients[k].value;
    double squares = 0, largest = 0;
    for (std::int64_t i = 0; i < inputs[k].numel(); ++i) {
      squares += inputs[k][i] * inputs[k][i];
      largest = temper_test::larger(largest, std::abs(gradient[i]));
    }
    // The step is proportional to the input: rows of norms may be as small as their eps.
    const double step = 1e-5 * (squares > 0 ? std::sqrt(squares / static_cast<double>(inputs[k].numel())) : 1.0);
    // Of large inputs only some elements are checked, as each needs two forwards, and errors rarely affect only a few.
    const std::int64_t stride = inputs[k].numel() / 128 + 1;
    for (std::int64_t i = 0; i < inputs[k].numel(); i += stride) {
      const double x = inputs[k][i];
      moved[k][i] = x + step;
      const double above = detail::weighted_sum(reference.plain(moved, attributes), weights);
      moved[k][i] = x - step;
      const double below = detail::weighted_sum(reference.plain(moved, attributes), weights);
      moved[k][i] = x;
      const double error = std::abs((above - below) / (2 * step) - gradient[i]);
      worst = temper_test::larger(worst, largest > 0 ? error / largest : error);
    }
  }
  return worst;
}

}  // namespace temper::reference
