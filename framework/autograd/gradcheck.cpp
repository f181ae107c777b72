#include <temper/autograd/gradcheck.hpp>

#include <cmath>
#include <vector>

#include <temper/core/random.hpp>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/reduce.hpp>

#include "framework/core/format_internal.hpp"

namespace temper {

namespace {

using Function = std::function<Tensor(std::span<const Tensor>)>;

Tensor random_like(const Tensor& x, const detail::RandomStream& stream) {
  Tensor result = empty(x.shape());
  std::uint64_t i = 0;
  for (float& value : result.mutable_values<float>()) value = static_cast<float>(stream.normal(i++));
  return result;
}

double dot(const Tensor& a, const Tensor& b) {
  double sum = 0.0;
  const auto x = a.values<float>(), y = b.values<float>();
  for (std::size_t i = 0; i < x.size(); ++i) sum += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return sum;
}

/// An input that is checked, its place among all inputs, and its gradient.
struct Input {
  std::size_t index;
  Tensor x, gradient;
};

class Check {
 public:
  Check(const Function& f, std::span<const Tensor> inputs, const GradcheckOptions& options)
      : f_(f), options_(options), inputs_(inputs.begin(), inputs.end()) {
    differentiate();
  }

  double worst() {
    double result = 0.0;
    for (int direction = 0; direction < options_.directions; ++direction) result = std::max(result, along(direction));
    return result;
  }

 private:
  void differentiate() {
    const detail::RepeatRandom repeat(random_);
    Tape tape(options_.mode);
    std::vector<Tensor> watched = inputs_;
    for (std::size_t i = 0; i < watched.size(); ++i) {
      if (!watched[i].defined() || watched[i].dtype() != Dtype::f32) continue;
      watched[i] = detail::copy(watched[i]);  // the caller's tensor may be a parameter
      tape.watch(watched[i]);
      checked_.push_back({i, watched[i], Tensor()});
    }
    if (checked_.empty()) fail<ValueError>("gradcheck: none of the {} inputs is f32", inputs_.size());
    const Tensor y = f_(watched);
    if (y.dtype() != Dtype::f32) fail<ShapeError>("gradcheck: the result {} is {}, expected f32", y.shape(), y.dtype());
    weights_ = random_like(y, stream(0));
    tape.backward(sum(mul(y, weights_)));
    for (Input& input : checked_) input.gradient = tape.gradient(input.x);
  }

  double along(int direction) {
    std::vector<Tensor> above = inputs_, below = inputs_;
    double expected = 0.0, gradient_squares = 0.0, direction_squares = 0.0;
    for (const Input& input : checked_) {
      const Tensor u = random_like(input.x, stream(1 + static_cast<std::uint64_t>(direction), input.index));
      Tensor plus = empty(input.x.shape()), minus = empty(input.x.shape());
      const auto x = input.x.values<float>(), g = input.gradient.values<float>(), d = u.values<float>();
      const auto p = plus.mutable_values<float>(), m = minus.mutable_values<float>();
      for (std::size_t i = 0; i < x.size(); ++i) {
        const float step = static_cast<float>(options_.step) * d[i];
        p[i] = x[i] + step;
        m[i] = x[i] - step;
        // The step as rounded: half the distance between the two points.
        const double made = (static_cast<double>(p[i]) - static_cast<double>(m[i])) / 2.0;
        expected += static_cast<double>(g[i]) * made;
        gradient_squares += static_cast<double>(g[i]) * static_cast<double>(g[i]);
        direction_squares += made * made;
      }
      above[input.index] = plus;
      below[input.index] = minus;
    }
    const double found = (value(above) - value(below)) / 2.0;
    const double scale = std::sqrt(gradient_squares * direction_squares);
    const double error = found == expected ? 0.0 : std::abs(found - expected) / std::max(scale, 1e-12);
    if (!(error <= options_.tolerance)) {
      fail<ValueError>(
          "gradcheck: in direction {} the function changes by {:.9g}, its gradient says {:.9g}: relative error {:.3g}, "
          "expected at most {:.3g}",
          direction, found, expected, error, options_.tolerance);
    }
    return error;
  }

  double value(std::span<const Tensor> inputs) const {
    const detail::RepeatRandom repeat(random_);
    const Tape tape(options_.mode);  // so that dropout draws the same masks as in differentiate()
    return dot(f_(inputs), weights_);
  }

  detail::RandomStream stream(std::uint64_t a, std::uint64_t b = 0) const {
    return {options_.seed, detail::RandomUse::gradcheck, a, b};
  }

  const Function& f_;
  const GradcheckOptions& options_;
  const RandomState random_ = random_state();  // where every evaluation's random numbers start
  std::vector<Tensor> inputs_;
  std::vector<Input> checked_;
  Tensor weights_;
};

}  // namespace

double gradcheck(const Function& f, std::span<const Tensor> inputs, const GradcheckOptions& options) {
  return Check(f, inputs, options).worst();
}

double gradcheck(const Function& f, std::initializer_list<Tensor> inputs, const GradcheckOptions& options) {
  return gradcheck(f, std::span<const Tensor>(inputs.begin(), inputs.size()), options);
}

}  // namespace temper
