#include <temper/optim/lbfgs.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include "framework/core/format_internal.hpp"
#include "optim/lbfgs_internal.hpp"

namespace temper::optim {

using detail::Pair;
using detail::Trial;
using detail::Vector;

class LBFGS::Engine {
 public:
  Engine(std::vector<Parameter> parameters, const LBFGSOptions& options)
      : parameters_(std::move(parameters)), options_(options) {
    if (parameters_.empty()) fail<ValueError>("LBFGS: there is no parameter to update");
    if (options.iterations < 1 || options.evaluations < 1 || options.history < 1 ||
        !(options.c1 > 0.0 && options.c1 < options.c2 && options.c2 < 1.0)) {
      fail<ValueError>(
          "LBFGS: {} iterations, {} evaluations, a history of {}, c1 {} and c2 {}, expected at least 1 of each, and 0 "
          "< c1 "
          "< c2 < 1",
          options.iterations, options.evaluations, options.history, options.c1, options.c2);
    }
    std::set<const void*> seen;
    for (const Parameter& parameter : parameters_) {
      if (!parameter.defined()) fail<ValueError>("LBFGS: a parameter is undefined");
      if (!seen.insert(parameter.id()).second)
        fail<ValueError>("LBFGS: parameter '{}' is there twice", parameter.name());
      check_dtype(parameter);
      count_ += static_cast<std::size_t>(parameter.shape().numel());
    }
  }

  Report step(const Closure& closure) {
    for (const Parameter& parameter : parameters_) check_dtype(parameter);
    const Vector begin = weights();
    Report report;
    try {
      run(closure, begin, report);
    } catch (...) {
      set_weights(begin);
      throw;
    }
    return report;
  }

  OptimizerState state() const {
    OptimizerState result;
    result.texts["optimizer"] = "LBFGS";
    result.texts["pairs"] = fmt::format("{}", pairs_.size());
    const auto pairs = static_cast<std::int64_t>(pairs_.size());
    std::size_t first = 0;
    for (const Parameter& parameter : parameters_) {
      if (parameter.name().empty()) {
        fail<ValueError>("LBFGS: a parameter has no name to save its state under; Parameter::named gives it one");
      }
      const auto n = static_cast<std::size_t>(parameter.shape().numel());
      for (const auto& [what, part] : {std::pair("steps", &Pair::s), std::pair("changes", &Pair::y)}) {
        // Doubles, stored as i64 with the same bits.
        Tensor kept = empty({pairs, static_cast<std::int64_t>(n)}, Dtype::i64);
        auto* bits = kept.mutable_data<std::int64_t>();
        for (const Pair& pair : pairs_) {
          const double* from = (pair.*part).data() + first;
          bits = std::transform(from, from + n, bits, [](double x) { return std::bit_cast<std::int64_t>(x); });
        }
        if (!result.tensors.emplace(parameter.name() + "/" + what, kept).second) {
          fail<ValueError>("LBFGS: two parameters are named '{}', so their states cannot be told apart",
                           parameter.name());
        }
      }
      first += n;
    }
    return result;
  }

  void load(const OptimizerState& state) {
    const auto text = [&](const char* name) {
      const auto found = state.texts.find(name);
      return found == state.texts.end() ? std::string() : found->second;
    };
    if (text("optimizer") != "LBFGS") fail<ValueError>("LBFGS: the state is of '{}'", text("optimizer"));
    const std::string count = text("pairs");
    std::size_t pairs = 0;
    const auto [end, status] = std::from_chars(count.data(), count.data() + count.size(), pairs);
    if (status != std::errc() || end != count.data() + count.size()) {
      fail<ValueError>("LBFGS: pairs are '{}', expected a number", count);
    }
    std::deque<Pair> next(pairs);
    for (Pair& pair : next) pair = {Vector(count_), Vector(count_)};
    std::size_t first = 0;
    for (const Parameter& parameter : parameters_) {
      const auto n = static_cast<std::size_t>(parameter.shape().numel());
      const Shape shape{static_cast<std::int64_t>(pairs), static_cast<std::int64_t>(n)};
      for (const auto& [what, part] : {std::pair("steps", &Pair::s), std::pair("changes", &Pair::y)}) {
        const std::string name = parameter.name() + "/" + what;
        const auto found = state.tensors.find(name);
        if (found == state.tensors.end()) fail<ValueError>("LBFGS: the state has no {}", name);
        const Tensor& kept = found->second;
        if (kept.dtype() != Dtype::i64 || !(kept.shape() == shape)) {
          fail<ValueError>("LBFGS: {} is {} {}, expected i64 {}", name, kept.dtype(), kept.shape(), shape);
        }
        const auto* bits = kept.data<std::int64_t>();
        for (Pair& pair : next) {
          std::transform(bits, bits + n, (pair.*part).data() + first,
                         [](std::int64_t x) { return std::bit_cast<double>(x); });
          bits += n;
        }
      }
      first += n;
    }
    pairs_ = std::move(next);
  }

 private:
  static void check_dtype(const Parameter& parameter) {
    if (parameter.value().dtype() != Dtype::f32) {
      fail<ValueError>("LBFGS: parameter '{}' is {}, expected f32", parameter.name(), parameter.value().dtype());
    }
  }

  Vector weights() const {
    Vector x;
    x.reserve(count_);
    for (const Parameter& parameter : parameters_) {
      const auto values = parameter.value().values<float>();
      x.insert(x.end(), values.begin(), values.end());
    }
    return x;
  }

  void set_weights(const Vector& x) {
    const double* from = x.data();
    for (const Parameter& parameter : parameters_) {
      Tensor shared = parameter.value();
      for (float& value : shared.mutable_values<float>()) value = static_cast<float>(*from++);
    }
  }

  /// Loss and gradient at x.
  double evaluate(const Closure& closure, const Vector& x, Vector& gradient) {
    set_weights(x);
    discard_gradients(parameters_);
    const double loss = closure();
    gradient.clear();
    for (Parameter& parameter : parameters_) {
      if (!parameter.gradient().defined()) {
        fail<ValueError>("LBFGS: parameter '{}' got no gradient; does the loss depend on it?", parameter.name());
      }
      const auto values = parameter.gradient().values<float>();
      gradient.insert(gradient.end(), values.begin(), values.end());
      parameter.discard_gradient();
    }
    return loss;
  }

  static double largest(const Vector& x) {
    double result = 0.0;
    for (const double value : x) result = std::max(result, std::abs(value));
    return result;
  }

  void run(const Closure& closure, Vector x, Report& report) {
    Trial here;
    here.f = report.before = evaluate(closure, x, here.gradient);
    report.evaluations = 1;
    report.largest_gradient = largest(here.gradient);
    if (!std::isfinite(here.f) || !std::isfinite(detail::dot(here.gradient, here.gradient))) {
      fail<ValueError>("LBFGS: the loss is {} and the gradient's norm {}, expected finite numbers", here.f,
                       std::sqrt(detail::dot(here.gradient, here.gradient)));
    }
    while (!report.converged && report.iterations < options_.iterations && report.evaluations < options_.evaluations) {
      if (report.largest_gradient <= options_.gradient_tolerance) {
        report.converged = true;
        break;
      }
      Vector direction = detail::direction(pairs_, here.gradient);
      double slope = detail::dot(direction, here.gradient);
      if (!(slope < 0.0)) {
        // Not a descent direction: the approximation of the Hessian does not fit here, so it is dropped.
        pairs_.clear();
        direction = detail::direction(pairs_, here.gradient);
        slope = detail::dot(direction, here.gradient);
      }
      here.t = 0.0;
      here.slope = slope;
      // Without an approximation of the Hessian, the first trial step has an L1 norm of at most 1.
      double sum = 0.0;
      for (const double g : here.gradient) sum += std::abs(g);
      const double first = pairs_.empty() ? std::min(1.0, 1.0 / sum) : 1.0;
      Vector point(count_);
      const auto move = [&](double t) {
        for (std::size_t i = 0; i < count_; ++i) {
          point[i] = static_cast<double>(static_cast<float>(x[i] + t * direction[i]));
        }
      };
      const auto at = [&](double t) {
        move(t);
        Trial trial{.t = t};
        trial.f = evaluate(closure, point, trial.gradient);
        trial.slope = detail::dot(trial.gradient, direction);
        ++report.evaluations;
        return trial;
      };
      const int left = std::max(1, options_.evaluations - report.evaluations);
      Trial there = detail::search(here, first, at, options_.c1, options_.c2, left);
      ++report.iterations;
      move(there.t);
      Pair pair{Vector(count_), Vector(count_)};
      for (std::size_t i = 0; i < count_; ++i) {
        pair.s[i] = point[i] - x[i];
        pair.y[i] = there.gradient[i] - here.gradient[i];
      }
      const double change = std::max(largest(pair.s), std::abs(there.f - here.f));
      if (detail::dot(pair.s, pair.y) > 1e-10 * detail::dot(pair.y, pair.y)) {
        pairs_.push_back(std::move(pair));
        if (pairs_.size() > static_cast<std::size_t>(options_.history)) pairs_.pop_front();
      }
      x = point;
      here = std::move(there);
      report.largest_gradient = largest(here.gradient);
      report.converged = change <= options_.change_tolerance || report.largest_gradient <= options_.gradient_tolerance;
    }
    set_weights(x);
    report.after = here.f;
  }

  std::vector<Parameter> parameters_;
  LBFGSOptions options_;
  std::size_t count_ = 0;
  std::deque<Pair> pairs_;
};

LBFGS::LBFGS(std::vector<Parameter> parameters, const LBFGSOptions& options)
    : engine_(std::make_unique<Engine>(std::move(parameters), options)) {}
LBFGS::~LBFGS() = default;
LBFGS::LBFGS(LBFGS&&) noexcept = default;
LBFGS& LBFGS::operator=(LBFGS&&) noexcept = default;

LBFGS::Report LBFGS::step(const Closure& closure) { return engine_->step(closure); }
OptimizerState LBFGS::state() const { return engine_->state(); }
void LBFGS::load(const OptimizerState& state) { engine_->load(state); }

}  // namespace temper::optim
