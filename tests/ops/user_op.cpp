// An operation that a user writes: one function in their own file, with public headers only and no registration.

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include <temper/autograd/gradcheck.hpp>
#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>

namespace {

using namespace temper;

/// log(cosh(x)), element by element; its derivative is tanh(x).
Tensor log_cosh(const Tensor& x) {
  Tensor y = empty(x.shape());
  const float* from = x.data<float>();
  float* to = y.mutable_data<float>();
  for (std::int64_t i = 0; i < x.numel(); ++i) to[i] = std::log(std::cosh(from[i]));
  return record("log_cosh", y, {x},
                [x = save(x)](const Tensor& dy, Gradients& gradients) { gradients.give(0, dy * tanh(x)); });
}

/// The same with a wrong gradient.
Tensor wrong_log_cosh(const Tensor& x) {
  return record("wrong_log_cosh", log_cosh(stop_gradient(x)), {x},
                [x = save(x)](const Tensor& dy, Gradients& gradients) { gradients.give(0, dy * sigmoid(x)); });
}

TEST_CASE("a user's operation is one function, and gradcheck agrees with it") {
  manual_seed(1);
  const Tensor x = normal({3, 17});
  CHECK(gradcheck([](std::span<const Tensor> in) { return log_cosh(in[0]); }, {x}) < 1e-4);
  // Composed with others, and with gradients of several inputs.
  CHECK(gradcheck([](std::span<const Tensor> in) { return log_cosh(in[0] * in[1]) / 3; }, {x, normal({17})}) < 1e-4);

  const Parameter parameter(x.clone(), Role::weight);
  Tape tape;
  tape.backward(sum(log_cosh(parameter)));
  CHECK(parameter.gradient().values<float>()[5] == doctest::Approx(std::tanh(x.values<float>()[5])));
}

TEST_CASE("gradcheck detects a wrong gradient") {
  std::string text;
  try {
    gradcheck([](std::span<const Tensor> in) { return wrong_log_cosh(in[0]); }, {normal({3, 17})});
  } catch (const ValueError& error) {
    text = error.what();
  }
  CHECK(text.find("gradcheck: in direction 0 the function changes by") == 0);
  CHECK_THROWS_AS(gradcheck([](std::span<const Tensor> in) { return in[0]; }, {indices({1, 2})}), ValueError);
}

TEST_CASE("gradcheck repeats random numbers and does not advance the generator") {
  manual_seed(7);
  const Tensor x = normal({5, 40});
  const RandomState before = random_state();
  CHECK(gradcheck([](std::span<const Tensor> in) { return dropout(in[0], 0.3) * in[0]; }, {x}) < 1e-4);
  CHECK(random_state() == before);
}

}  // namespace
