// Second derivatives: whatever operation of the table is differentiated twice agrees with differences of the
// reference's gradient, or throws.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

#include "tests/larger.hpp"
#include "tests/ops/golden.hpp"
#include "tests/ops/op_test.hpp"

namespace temper::test {

namespace {

using reference::Array;
using reference::Arrays;

Array<double> array(const Tensor& tensor) {
  Array<double> result(reference::Sizes(tensor.shape().begin(), tensor.shape().end()));
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    result[i] = tensor.dtype() == Dtype::f32       ? static_cast<double>(tensor.data<float>()[i])
                : tensor.dtype() == Dtype::boolean ? (tensor.data<bool>()[i] ? 1 : 0)
                                                   : static_cast<double>(tensor.data<std::int64_t>()[i]);
  }
  return result;
}

double largest(const Array<double>& values) {
  double result = 0;
  for (std::int64_t i = 0; i < values.numel(); ++i) result = temper_test::larger(result, std::abs(values[i]));
  return result;
}

struct Second {
  Tensors gradients, products;  // by input: gradient, and Hessian times the directions
};

/// Both of the sum of outputs times weights; `directions` has a tensor for each input that is differentiated.
Second run(const OpTest& test, const GoldenCase& golden, const Tensors& directions) {
  Tape tape;
  Tensors inputs, watched, moved;
  for (std::size_t i = 0; i < golden.inputs.size(); ++i) {
    inputs.push_back(golden.inputs[i].clone());
    if (!directions[i].defined()) continue;
    tape.watch(inputs[i]);
    watched.push_back(inputs[i]);
    moved.push_back(directions[i]);
  }
  const Tensors outputs = test.engine(inputs, golden.attributes);
  Tensor y = scalar(0);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (golden.weights[i].defined()) y = y + sum(outputs[i] * golden.weights[i]);
  }
  Second result;
  result.gradients = tape.gradients(y, watched);
  Tensor loss = 0 * y;  // also where the gradient is a constant
  for (std::size_t i = 0; i < watched.size(); ++i) loss = loss + sum(result.gradients[i] * moved[i]);
  tape.backward(loss);
  for (const Tensor& x : watched) result.products.push_back(tape.gradient(x));
  return result;
}

void check_case(const OpTest& test, const GoldenCase& golden, const Second& got, const Tensors& directions) {
  Arrays<double> weights, above, below;
  std::vector<bool> chosen;
  const double step = 1e-5;
  for (std::size_t i = 0; i < golden.inputs.size(); ++i) {
    chosen.push_back(directions[i].defined());
    above.push_back(array(golden.inputs[i]));
    below.push_back(array(golden.inputs[i]));
    for (std::int64_t k = 0; chosen[i] && k < above[i].numel(); ++k) {
      const double by = step * static_cast<double>(directions[i].data<float>()[k]);
      above[i][k] += by;
      below[i][k] -= by;
    }
  }
  for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
    const Shape& shape = golden.outputs[i].shape();
    weights.push_back(golden.weights[i].defined() ? array(golden.weights[i])
                                                  : Array<double>(reference::Sizes(shape.begin(), shape.end())));
  }
  const auto up = reference::run(test.reference, above, chosen, weights, golden.attributes);
  const auto down = reference::run(test.reference, below, chosen, weights, golden.attributes);
  for (std::size_t i = 0, k = 0; i < golden.inputs.size(); ++i) {
    if (!chosen[i]) continue;
    const Array<double> first = array(golden.gradients[i]), mine = array(got.gradients[k]),
                        product = array(got.products[k]);
    Array<double> expected = first;
    for (std::int64_t e = 0; e < expected.numel(); ++e) {
      expected[e] = (up.gradients[i].value[e] - down.gradients[i].value[e]) / (2 * step);
    }
    // Relative to the largest term; what cancels has the size of the gradient.
    const double gate = 2e-5 * largest(up.gradients[i].terms),
                 second_gate = 1e-4 * (largest(expected) + largest(first)) + 1e-6;
    double worst = 0, second_worst = 0;
    for (std::int64_t e = 0; e < expected.numel(); ++e) {
      worst = temper_test::larger(worst, std::abs(mine[e] - first[e]));
      second_worst = temper_test::larger(second_worst, std::abs(product[e] - expected[e]));
    }
    CHECK_MESSAGE(worst <= gate + 1e-30, "dx", i, " is off by ", worst, ", ", gate, " are allowed");
    CHECK_MESSAGE(second_worst <= second_gate, "the second derivative by x", i, " is off by ", second_worst, ", ",
                  second_gate, " are allowed");
    ++k;
  }
}

/// Of the table, those that must have a second derivative.
const std::set<std::string>& required() {
  static const std::set<std::string> names = {
      "add",     "sub",     "mul",        "div",        "neg",         "exp",    "log",          "sqrt",
      "matmul",  "linear",  "conv2d",     "tanh",       "sigmoid",     "silu",   "gelu",         "softplus",
      "sum",     "mean",    "layer_norm", "rms_norm",   "softmax",     "sin",    "cos",          "square",
      "reshape", "permute", "transpose",  "slice",      "concat",      "stack",  "split",        "expand",
      "pad",     "gather",  "where",      "mse_loss",   "log_softmax", "swiglu", "index_select", "linear_gelu",
      "erf",     "rsqrt",   "log1p",      "linear_silu"};
  return names;
}

}  // namespace

TEST_CASE("a second derivative agrees with differences of the reference, or there is none") {
  std::set<std::string> twice;
  for (const OpTest& test : all_ops()) {
    for (const GoldenCase& golden : golden_cases()) {
      if (golden.op != test.name || !golden.attributes.value("differences", true)) continue;
      CAPTURE(test.name);
      CAPTURE(golden.number);
      CAPTURE(golden.attributes.dump());
      Tensors directions(golden.inputs.size());
      bool any = false;
      for (std::size_t i = 0; i < golden.inputs.size(); ++i) {
        if (!golden.gradients[i].defined()) continue;
        any = true;
        directions[i] = empty(golden.inputs[i].shape());
        float number = static_cast<float>(i);
        for (float& value : directions[i].mutable_values<float>()) value = std::sin(3 * number++ + 1);
      }
      if (!any) continue;
      Second got;
      try {
        got = run(test, golden, directions);
      } catch (const TapeError& error) {
        const std::string text = error.what();
        CHECK_MESSAGE(text.find("has no second derivative") != std::string::npos, text);
        CHECK_MESSAGE(!required().contains(test.name), text);
        continue;
      } catch (const std::exception& error) {
        FAIL_CHECK(std::string(error.what()));
        continue;
      }
      twice.insert(test.name);
      check_case(test, golden, got, directions);
    }
  }
  for (const std::string& name : required()) {
    CAPTURE(name);
    CHECK(twice.contains(name));
  }
  CHECK(twice.size() > 130);
}

}  // namespace temper::test
