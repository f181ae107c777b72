#include "tests/ops/op_test.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>

#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/core/format_internal.hpp"
#include "tests/ops/golden.hpp"

namespace temper::test {

namespace {

using reference::Array;
using reference::Arrays;
using reference::Expected;

/// Error bound of the engine relative to the sum of absolute terms. No case sums more than 512 terms; up to there, the
/// error of a float sum hardly grows with their number.
constexpr double engine_gate = 5e-6;
/// Numbers below this may be flushed to zero.
constexpr double smallest = 1.2e-38;
/// Error bound of a recorded value, which was rounded to float.
constexpr double recording_gate = 1.2e-7;

double element(const Tensor& tensor, std::int64_t i) {
  switch (tensor.dtype()) {
    case Dtype::i64: return static_cast<double>(tensor.data<std::int64_t>()[i]);
    case Dtype::boolean: return tensor.data<bool>()[i] ? 1 : 0;
    case Dtype::bf16: return std::bit_cast<float>(std::uint32_t{tensor.data<BFloat16>()[i].bits} << 16);
    default: return tensor.data<float>()[i];
  }
}

Array<double> array(const Tensor& tensor) {
  Array<double> result(reference::Sizes(tensor.shape().begin(), tensor.shape().end()));
  for (std::int64_t i = 0; i < result.numel(); ++i) result[i] = element(tensor, i);
  return result;
}

Shape shape_of(const Array<double>& array) { return Shape(std::span<const std::int64_t>(array.shape)); }

/// An error message unless |got - expected| <= gate * terms for every element, else "".
std::string difference(const Tensor& got, const Array<double>& expected, const Array<double>& terms, double gate) {
  if (!(got.shape() == shape_of(expected))) {
    return fmt::format("has shape {}, expected {}", got.shape(), shape_of(expected));
  }
  std::int64_t wrong = 0, worst = 0;
  double worst_ratio = 0;
  for (std::int64_t i = 0; i < expected.numel(); ++i) {
    const double error = std::abs(element(got, i) - expected[i]), allowed = gate * terms[i] + smallest;
    if (error <= allowed) continue;
    const double ratio = std::isnan(error) ? HUGE_VAL : error / allowed;
    if (wrong++ == 0 || ratio > worst_ratio) {
      worst = i;
      worst_ratio = ratio;
    }
  }
  if (wrong == 0) return "";
  return fmt::format("{} of {} elements wrong; element {} is {:.9g}, expected {:.9g}, {:.3g} times the gate", wrong,
                     expected.numel(), worst, element(got, worst), expected[worst], worst_ratio);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (!a.defined() || !b.defined()) return a.defined() == b.defined();
  if (!(a.shape() == b.shape()) || a.dtype() != b.dtype()) return false;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    const double left = element(a, i), right = element(b, i);
    if (std::memcmp(&left, &right, sizeof left) != 0) return false;
  }
  return true;
}

struct Run {
  Tensors outputs;
  Tensors gradients;  // undefined for inputs that are not watched
};

/// Runs a case forward and backward. The loss, the sum of outputs times weights, is an operation of this test, so that
/// no other operation of the engine is involved. `already`: gradients that reach the inputs before the operation's own.
Run run(const OpTest& test, const GoldenCase& golden, const std::vector<bool>& watched, const Tensors& already = {}) {
  Run result;
  Tape tape;
  Tensors inputs;
  for (std::size_t i = 0; i < golden.inputs.size(); ++i) {
    inputs.push_back(golden.inputs[i].clone());
    if (watched[i]) tape.watch(inputs[i]);
  }
  result.outputs = test.engine(inputs, golden.attributes);
  Tensors summed, gradients;
  for (std::size_t i = 0; i < result.outputs.size() && i < golden.weights.size(); ++i) {
    if (!golden.weights[i].defined()) continue;
    summed.push_back(result.outputs[i]);
    gradients.push_back(golden.weights[i]);
  }
  for (std::size_t i = 0; i < already.size(); ++i) {
    if (!already[i].defined()) continue;
    summed.push_back(inputs[i]);
    gradients.push_back(already[i]);
  }
  result.gradients.resize(inputs.size());
  if (gradients.empty()) return result;

  const Tensor loss =
      record("weighted sum", scalar(0), std::span<const Tensor>(summed), [gradients](const Tensor&, Gradients& into) {
        for (std::size_t i = 0; i < gradients.size(); ++i) {
          into.give(static_cast<int>(i), gradients[i].clone());
        }
      });
  tape.backward(loss);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    CHECK_MESSAGE(same_bits(inputs[i], golden.inputs[i]), "input ", i, " was written to");
    if (watched[i]) result.gradients[i] = tape.gradient(inputs[i]);
  }
  return result;
}

void check_agreement(const std::string& what, const Tensor& got, const Expected& expected, const Tensor& recorded) {
  const std::string from_reference = difference(got, expected.value, expected.terms, engine_gate);
  CHECK_MESSAGE(from_reference.empty(), what, " against the reference: ", from_reference);
  const std::string from_recorded = difference(got, array(recorded), expected.terms, engine_gate);
  CHECK_MESSAGE(from_recorded.empty(), what, " against PyTorch: ", from_recorded);
}

void check_reference(const std::string& what, const Expected& expected, const Tensor& recorded) {
  const std::string text = difference(recorded, expected.value, expected.terms, recording_gate);
  CHECK_MESSAGE(text.empty(), what, ", as PyTorch recorded it, against the reference: ", text);
}

void check_case(const OpTest& test, const GoldenCase& golden) {
  // The reference agrees with its own differences and with the recording.
  const std::size_t count = golden.inputs.size();
  Arrays<double> inputs, weights;
  std::vector<bool> all;
  for (std::size_t i = 0; i < count; ++i) {
    inputs.push_back(array(golden.inputs[i]));
    all.push_back(golden.gradients[i].defined());
  }
  for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
    weights.push_back(golden.weights[i].defined() ? array(golden.weights[i])
                                                  : Array<double>(reference::Sizes(golden.outputs[i].shape().begin(),
                                                                                   golden.outputs[i].shape().end())));
  }
  const reference::Result expected = reference::run(test.reference, inputs, all, weights, golden.attributes);
  REQUIRE(expected.outputs.size() == golden.outputs.size());
  for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
    check_reference(fmt::format("y{}", i), expected.outputs[i], golden.outputs[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (all[i]) check_reference(fmt::format("dx{}", i), expected.gradients[i], golden.gradients[i]);
  }
  if (golden.attributes.value("differences", true)) {
    const double error = reference::difference_error(test.reference, inputs, all, weights, golden.attributes, expected);
    CHECK_MESSAGE(error <= 1e-6, "the reference's gradient is off from central differences by ", error);
  }

  // The engine's values and gradients agree, and have the same bits in a second run.
  const Run first = run(test, golden, all);
  REQUIRE(first.outputs.size() == golden.outputs.size());
  for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
    check_agreement(fmt::format("y{}", i), first.outputs[i], expected.outputs[i], golden.outputs[i]);
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (all[i]) {
      check_agreement(fmt::format("dx{}", i), first.gradients[i], expected.gradients[i], golden.gradients[i]);
    }
  }
  const Run second = run(test, golden, all);
  for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
    CHECK_MESSAGE(same_bits(first.outputs[i], second.outputs[i]), "y", i, " has other bits in a second run");
  }
  for (std::size_t i = 0; i < count; ++i) {
    CHECK_MESSAGE(same_bits(first.gradients[i], second.gradients[i]), "dx", i, " has other bits in a second run");
  }

  // Each gradient alone, and accumulated.
  for (std::size_t i = 0; i < count; ++i) {
    if (!all[i]) continue;
    std::vector<bool> one(count, false);
    one[i] = true;
    check_agreement(fmt::format("dx{}, alone,", i), run(test, golden, one).gradients[i], expected.gradients[i],
                    golden.gradients[i]);
    Tensors already(count);
    already[i] = full(golden.inputs[i].shape(), 0.75f);
    Expected sum = expected.gradients[i];
    for (std::int64_t k = 0; k < sum.value.numel(); ++k) {
      sum.value[k] += 0.75;
      sum.terms[k] += 0.75;
    }
    const std::string text =
        difference(run(test, golden, all, already).gradients[i], sum.value, sum.terms, engine_gate);
    CHECK_MESSAGE(text.empty(), "dx", i, " added to a gradient of 0.75: ", text);
  }
}

void check_error(const ErrorCase& error) {
  Tape tape;
  try {
    error.call();
  } catch (const std::exception& thrown) {
    const std::string text = thrown.what();
    CHECK_MESSAGE(typeid(thrown) == error.type, "threw ", typeid(thrown).name(), ": ", text);
    CHECK_MESSAGE(text.find(error.text) != std::string::npos, "threw \"", text, "\", expected \"", error.text, "\"");
    CHECK(tape.size() == 0);
    return;
  }
  FAIL_CHECK("threw nothing, expected \"" << error.text << "\"");
}

std::string describe(const GoldenCase& golden) {
  std::string inputs;
  for (const Tensor& input : golden.inputs) inputs += fmt::format("{}{}", inputs.empty() ? "" : ", ", input.shape());
  return fmt::format("{} case {}: {} {}", golden.op, golden.number, inputs, golden.attributes.dump());
}

}  // namespace

void check(const std::vector<OpTest>& operations) {
  for (const OpTest& test : operations) {
    for (const GoldenCase& golden : golden_cases()) {
      if (golden.op != test.name) continue;
      SUBCASE(describe(golden).c_str()) {
        // Caught, as an exception would end the other cases too.
        try {
          check_case(test, golden);
        } catch (const std::exception& thrown) {
          FAIL_CHECK("threw " << std::string(thrown.what()));
        }
      }
    }
    for (const ErrorCase& error : test.errors) {
      SUBCASE(fmt::format("{} error: {}", test.name, error.text).c_str()) { check_error(error); }
    }
  }
}

namespace {

void check_bf16_case(const OpTest& test, const Bf16Op& op, GoldenCase golden) {
  Arrays<double> inputs, weights;
  std::vector<bool> all;
  for (std::size_t i = 0; i < golden.inputs.size(); ++i) {
    const bool wide = std::ranges::find(op.f32, i) != op.f32.end() || golden.inputs[i].dtype() != Dtype::f32;
    if (!wide) golden.inputs[i] = to(golden.inputs[i], Dtype::bf16);
    inputs.push_back(array(golden.inputs[i]));
    all.push_back(golden.gradients[i].defined());
  }
  for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
    if (golden.weights[i].defined()) golden.weights[i] = to(to(golden.weights[i], Dtype::bf16), Dtype::f32);
    weights.push_back(golden.weights[i].defined() ? array(golden.weights[i])
                                                  : Array<double>(reference::Sizes(golden.outputs[i].shape().begin(),
                                                                                   golden.outputs[i].shape().end())));
  }
  const reference::Result expected = reference::run(test.reference, inputs, all, weights, golden.attributes);
  const Run got = run(test, golden, all);
  const double gate = op.roundings * 0x1p-8 + engine_gate;
  for (std::size_t i = 0; i < golden.outputs.size(); ++i) {
    const std::string text = difference(got.outputs[i], expected.outputs[i].value, expected.outputs[i].terms, gate);
    CHECK_MESSAGE(text.empty(), "y", i, ": ", text);
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!all[i]) continue;
    CHECK(got.gradients[i].dtype() == golden.inputs[i].dtype());
    const std::string text =
        difference(got.gradients[i], expected.gradients[i].value, expected.gradients[i].terms, gate);
    CHECK_MESSAGE(text.empty(), "dx", i, ": ", text);
  }
}

}  // namespace

void check_bf16(const OpTest& test, const Bf16Op& op) {
  for (const GoldenCase& golden : golden_cases()) {
    if (golden.op != test.name) continue;
    CAPTURE(describe(golden));
    try {
      check_bf16_case(test, op, golden);
    } catch (const std::exception& thrown) {
      FAIL_CHECK("threw " << std::string(thrown.what()));
    }
  }
}

}  // namespace temper::test
