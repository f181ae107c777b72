#include "models/study/documented.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include <temper/temper.hpp>

namespace temper::study {

namespace {

using Make = std::function<std::unique_ptr<optim::Optimizer>(const optim::Groups&)>;

template <class T, class Options>
Make make(const Options& options) {
  return [options](const optim::Groups& groups) { return std::make_unique<T>(groups, options); };
}

/// optax's example: the sum of squares of (1, 2, 3) after each of five updates, with three digits.
struct Example {
  const char* name;
  Make make;
  std::vector<double> values;
};

Comparison compare(const Example& example) {
  Parameter p(from({1.0f, 2.0f, 3.0f}, {3}), Role::weight);
  const auto optimizer = example.make({p});
  Comparison row{
      .what = formatted("optax, {}", example.name), .published = "", .ours = "", .difference = "", .verdict = ""};
  double worst = 0.0;
  for (const double value : example.values) {
    Tape tape;
    tape.backward(sum(p * p));
    optimizer->step();
    double ours = 0.0;
    if (optimizer->has_averages()) optimizer->swap_averages();
    for (const float x : p.value().values<float>()) ours += double{x} * double{x};
    if (optimizer->has_averages()) optimizer->swap_averages();
    row.published += formatted("{:.2e} ", value);
    row.ours += formatted("{:.2e} ", ours);
    // Half of the last digit that was printed.
    const double digit = std::pow(10.0, std::floor(std::log10(value)) - 2.0);
    worst = std::max(worst, std::abs(ours - value) / digit);
  }
  row.published.pop_back();
  row.ours.pop_back();
  row.difference = formatted("{:.1f} of the last digit", worst);
  row.verdict = worst <= 0.5 + 1e-3 ? "holds" : "does not hold";
  return row;
}

/// An example of PyTorch's schedules: rates by epoch.
Comparison compare(const char* name, const optim::Schedule& schedule,
                   const std::vector<std::pair<Step, double>>& values) {
  Comparison row{.what = formatted("PyTorch, {}", name), .published = "", .ours = "", .difference = "", .verdict = ""};
  double worst = 0.0;
  for (const auto& [epoch, value] : values) {
    row.published += formatted("{:g} ", value);
    row.ours += formatted("{:g} ", schedule(epoch));
    worst = std::max(worst, std::abs(schedule(epoch) - value));
  }
  row.published.pop_back();
  row.ours.pop_back();
  row.difference = formatted("{:.0e}", worst);
  row.verdict = worst < 1e-9 ? "holds" : "does not hold";
  return row;
}

}  // namespace

std::vector<Comparison> check_documented() {
  using namespace optim;
  std::vector<Comparison> result;
  // Not rprop: optax's differs from PyTorch's, which ours follows. docs/optimizers.md has both.
  for (const Example& example : std::vector<Example>{
           {"sgd(0.003)", make<SGD>(SGDOptions{.lr = 0.003}), {13.8, 13.7, 13.5, 13.3, 13.2}},
           {"adam(0.003)", make<Adam>(AdamOptions{.lr = 0.003}), {14.0, 13.9, 13.9, 13.9, 13.8}},
           {"adamw(0.003)",
            make<AdamW>(AdamWOptions{.lr = 0.003, .weight_decay = 1e-4}),
            {14.0, 13.9, 13.9, 13.9, 13.8}},
           {"lion(0.003)", make<Lion>(LionOptions{.lr = 0.003, .weight_decay = 1e-3}), {14.0, 13.9, 13.9, 13.9, 13.8}},
           {"adamax(0.003)", make<Adamax>(AdamaxOptions{.lr = 0.003}), {14.0, 13.9, 13.9, 13.9, 13.8}},
           {"radam(0.003)", make<RAdam>(RAdamOptions{.lr = 0.003}), {13.8, 13.7, 13.5, 13.3, 13.2}},
           {"rmsprop(0.003)", make<RMSprop>(RMSpropOptions{.lr = 0.003, .alpha = 0.9}), {13.9, 13.8, 13.7, 13.7, 13.6}},
           {"lamb(0.003)", make<LAMB>(LAMBOptions{.lr = 0.003, .weight_decay = 0.0}), {13.9, 13.8, 13.8, 13.7, 13.6}},
           {"adagrad(1)", make<Adagrad>(AdagradOptions{.lr = 1.0, .initial = 0.1}), {5.01, 2.40, 1.25, 0.686, 0.385}},
           {"adadelta(10)", make<Adadelta>(AdadeltaOptions{.lr = 10.0}), {13.6, 13.2, 12.9, 12.5, 12.1}},
           {"ademamix(0.01)",
            make<AdEMAMix>(AdEMAMixOptions{.lr = 0.01, .alpha = 5.0, .weight_decay = 0.0}),
            {13.9, 13.8, 13.6, 13.5, 13.4}},
           {"schedule_free_adamw(1)",
            make<ScheduleFree>(ScheduleFreeOptions{.lr = 1.0, .weight_decay = 0.0}),
            {5.00, 3.05, 1.73, 0.894, 0.413}},
       }) {
    result.push_back(compare(example));
  }
  result.push_back(compare("ConstantLR(factor=0.5, total_iters=4), lr 0.05",
                           0.05 * constant(0.5, 4).then(constant(1.0)), {{0, 0.025}, {3, 0.025}, {4, 0.05}}));
  result.push_back(compare("LinearLR(start_factor=0.5, total_iters=4), lr 0.05", 0.05 * pytorch_linear_lr(0.5, 4),
                           {{0, 0.025}, {1, 0.03125}, {2, 0.0375}, {3, 0.04375}, {4, 0.05}}));
  result.push_back(compare("PolynomialLR(total_iters=4, power=1), lr 0.05", 0.05 * linear_decay(4),
                           {{0, 0.05}, {1, 0.0375}, {2, 0.025}, {3, 0.0125}, {4, 0.0}}));
  return result;
}

}  // namespace temper::study
