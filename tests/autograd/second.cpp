// Gradients that are recorded: values of PyTorch for networks, and what Tape::gradient(y, x) promises.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/recompute.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

#include "tests/larger.hpp"

using namespace temper;

namespace {

/// factor * sin(first), factor * sin(first + 1), ...
Tensor values(const Shape& shape, int first, double factor = 1.0) {
  Tensor tensor = empty(shape);
  for (float& value : tensor.mutable_values<float>()) value = static_cast<float>(factor * std::sin(first++));
  return tensor;
}

std::vector<Parameter> filled(const std::vector<Shape>& shapes) {
  std::vector<Parameter> all;
  for (const Shape& shape : shapes) {
    all.emplace_back(values(shape, 100 * (1 + static_cast<int>(all.size())), 0.3), Role::weight);
  }
  return all;
}

/// The sum of tensors times fixed weights.
Tensor weighted(const std::vector<Tensor>& tensors) {
  Tensor total = scalar(0.0f);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    total = total + sum(tensors[i] * values(tensors[i].shape(), 7 + static_cast<int>(i)));
  }
  return total;
}

/// Runs backward from the loss, and compares with what record_second.py recorded under the name.
void check(const std::string& name, Tape& tape, const Tensor& loss, const std::vector<Tensor>& tensors) {
  static const nlohmann::json all = nlohmann::json::parse(std::ifstream(TEMPER_TEST_DIR "/golden/second.json"));
  const nlohmann::json& golden = all.at(name);
  CHECK(loss.item() == doctest::Approx(golden["loss"].get<double>()).epsilon(2e-5));
  for (const Tensor& x : tensors) tape.watch(x);
  tape.backward(loss);
  REQUIRE(golden["gradients"].size() == tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    CAPTURE(i);
    const std::vector<double> expected = golden["gradients"][i];
    const Tensor got = tape.gradient(tensors[i]);
    REQUIRE(static_cast<std::size_t>(got.numel()) == expected.size());
    double largest = 1e-6, worst = 0;
    for (std::size_t k = 0; k < expected.size(); ++k) {
      largest = temper_test::larger(largest, std::abs(expected[k]));
      worst = temper_test::larger(worst, std::abs(static_cast<double>(got.data<float>()[k]) - expected[k]));
    }
    CHECK(worst / largest < 2e-5);
  }
}

std::vector<Tensor> joined(const std::vector<Parameter>& parameters, const Tensor& x) {
  std::vector<Tensor> all(parameters.begin(), parameters.end());
  all.push_back(x);
  return all;
}

}  // namespace

TEST_CASE("a Hessian-vector product agrees with PyTorch") {
  const auto p = filled({{5}, {5}, {6, 5}, {6}, {3, 6}, {3}});
  Tape tape;
  const Tensor h = tanh(linear(layer_norm(values({4, 5}, 1), p[0], p[1]), p[2], p[3]));
  const Tensor loss = cross_entropy(linear(h, p[4], p[5]), indices({0, 2, 1, 2}));
  const std::vector<Tensor> slopes = tape.gradients(loss, p);
  for (const Parameter& parameter : p) CHECK_FALSE(parameter.gradient().defined());
  check("hessian_vector_product", tape, weighted(slopes), {p.begin(), p.end()});
}

TEST_CASE("a gradient penalty of a critic of convolutions agrees with PyTorch") {
  const auto p = filled({{4, 2, 3, 3}, {4}, {6, 2, 3, 3}, {6}, {1, 6}});
  const Tensor x = values({3, 6, 5, 2}, 1);
  Tape tape;
  tape.watch(x);
  Tensor h = silu(conv2d(x, p[0], p[1], {.padding = 1}));
  h = gelu(conv2d(h, p[2], p[3], {.stride = 2, .padding = 1, .groups = 2}));
  const Tensor score = sum(linear(mean(h, {1, 2}), p[4], Tensor()));
  const Tensor slope = tape.gradient(score, x);
  const Tensor loss = score + 10 * mean(square(sqrt(sum(square(slope), {1, 2, 3})) - 1));
  check("gradient_penalty", tape, loss, joined(p, x));
}

TEST_CASE("a Hessian-vector product of attention agrees with PyTorch") {
  const auto p = filled({{4, 4}, {4, 4}, {4, 4}, {4}});
  const Tensor x = values({2, 5, 4}, 1);
  Tape tape;
  tape.watch(x);
  const auto projected = [&x](const Parameter& w) { return matmul(x, w, {.transpose_b = true}); };
  const Tensor q = projected(p[0]), k = projected(p[1]), v = projected(p[2]);
  const Tensor scores = matmul(q * sin(p[3]), k * cos(p[3]), {.transpose_b = true}) / 2;
  const Tensor y = matmul(softmax(scores, -1), v);
  const Tensor loss = sum(log(exp(y)) * softplus(x) * sigmoid(v));
  check("attention", tape, weighted(tape.gradients(loss, joined(p, x))), joined(p, x));
}

TEST_CASE("a network that solves a differential equation agrees with PyTorch: third derivatives") {
  const auto p = filled({{6, 1}, {6}, {1, 6}});
  const Tensor x = values({7, 1}, 1);
  Tape tape;
  tape.watch(x);
  const Tensor u = linear(sin(linear(x, p[0], p[1])), p[2], Tensor());
  const Tensor du = tape.gradient(sum(u), x), ddu = tape.gradient(sum(du), x);
  check("differential_equation", tape, mean(square(ddu + u - exp(-x))), {p.begin(), p.end()});
}

TEST_CASE(
    "a recorded gradient is that of backward, in the midst of a tape, by what lies between, and as often as asked") {
  const Parameter w(values({3, 4}, 5), Role::weight);
  const Tensor x = values({2, 4}, 1);
  Tape tape;
  tape.watch(x);
  const Tensor h = tanh(linear(x, w, Tensor())), y = sum(h * h);
  const Tensor first = tape.gradient(y, w), again = tape.gradient(y, w), by_h = tape.gradient(y, h);
  const std::vector<Tensor> both = tape.gradients(y, std::vector<Tensor>{x, y});
  CHECK(both[1].item() == 1.0f);
  tape.backward(y);
  for (std::int64_t i = 0; i < first.numel(); ++i) {
    CHECK(first.data<float>()[i] == doctest::Approx(w.gradient().data<float>()[i]).epsilon(1e-6));
    CHECK(first.data<float>()[i] == again.data<float>()[i]);
  }
  for (std::int64_t i = 0; i < h.numel(); ++i) CHECK(by_h.data<float>()[i] == 2 * h.data<float>()[i]);
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    CHECK(both[0].data<float>()[i] == doctest::Approx(tape.gradient(x).data<float>()[i]).epsilon(1e-6));
  }
}

TEST_CASE("a parameter that y does not depend on has a recorded gradient of zeros") {
  const Parameter w(ones({2}), Role::weight), other(ones({3}), Role::weight);
  Tape tape;
  const Tensor gradient = tape.gradient(sum(square(w)), other);
  CHECK(gradient.shape() == Shape{3});
  CHECK(sum(abs(gradient)).item() == 0.0f);
}

TEST_CASE("what has no second derivative says so by its name, and changes nothing") {
  const Tensor x = values({1, 4, 4, 2}, 1);
  Tape tape;
  tape.watch(x);
  const Tensor y = sum(max_pool2d(square(x), {.kernel = 2}));
  const std::int64_t size = tape.size();
  CHECK_THROWS_WITH_AS(tape.gradient(y, x), "gradient: max_pool2d has no second derivative", TapeError);
  const Tensor kept = recompute([](const Tensor& in) { return sum(square(in)); }, x);
  CHECK_THROWS_WITH_AS(tape.gradient(kept, x), "gradient: recompute has no second derivative", TapeError);
  const Tensor own = record("own", scalar(1.0f), {x}, [](const Tensor&, Gradients&) {});
  CHECK_THROWS_WITH_AS(tape.gradient(own, x), "gradient: own has no second derivative", TapeError);
  CHECK_THROWS_WITH_AS(tape.gradient(sum(hardswish(x)), x), "gradient: hardswish has no second derivative", TapeError);
  CHECK(tape.size() > size);
  CHECK_NOTHROW(tape.gradient(sum(square(x)), x));
  tape.backward(y);
  CHECK(tape.gradient(x).shape() == x.shape());
}

TEST_CASE("a recorded gradient refuses what it cannot be computed from") {
  const Tensor x = ones({2}), constant = ones({2});
  Parameter frozen(ones({2}), Role::weight);
  frozen.freeze();
  Tape tape;
  tape.watch(x);
  const Tensor y = sum(square(x * constant * frozen));
  CHECK_THROWS_WITH_AS(tape.gradient(square(x), x), "gradient: y has shape [2], expected one element", TapeError);
  CHECK_THROWS_WITH_AS(tape.gradient(Tensor(), x), "gradient: y is an undefined tensor", ValueError);
  CHECK_THROWS_WITH_AS(tape.gradient(y, Tensor()), "gradient: x is an undefined tensor", ValueError);
  const char* text =
      "gradient: x [2] is a constant on this tape: neither watched, nor a parameter that is not frozen, nor computed "
      "from one";
  CHECK_THROWS_WITH_AS(tape.gradient(y, constant), text, TapeError);
  CHECK_THROWS_WITH_AS(tape.gradient(y, frozen), text, TapeError);
  CHECK_THROWS_AS(tape.gradient(sum(constant), x), TapeError);
  {
    const NoTape pause;
    CHECK_THROWS_WITH_AS(tape.gradient(y, x),
                         "gradient: is recorded on this tape, but a tape or NoTape that was begun later lives",
                         TapeError);
  }
  {
    const Tensor changed = ones({2});
    tape.watch(changed);
    const Tensor z = sum(square(changed));
    Tensor same = changed;
    same.fill(3.0f);
    CHECK_THROWS_WITH_AS(
        tape.gradient(z, changed),
        "gradient: a tensor [2] that a gradient needs was changed in place after it was used (version 2, saved at 1)",
        TapeError);
    CHECK_NOTHROW(tape.gradient(y, x));  // which does not need it
  }
  tape.backward(y);
  CHECK_THROWS_WITH_AS(tape.gradient(y, x), "gradient: this tape has already run backward", TapeError);
}

TEST_CASE("an operation of one's own is differentiated twice when it says that it can be") {
  const auto cube = [](const Tensor& x) {
    Tensor y = empty(x.shape());
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      const float value = x.data<float>()[i];
      y.mutable_data<float>()[i] = value * value * value;
    }
    return record("cube", y, {x}, differentiable([x = save(x)](const Tensor& dy, Gradients& gradients) {
                    gradients.give(0, 3 * dy * x * x);
                  }));
  };
  const Tensor x = values({3}, 1);
  Tape tape;
  tape.watch(x);
  tape.backward(sum(tape.gradient(sum(cube(x)), x)));
  for (std::int64_t i = 0; i < 3; ++i) {
    CHECK(tape.gradient(x).data<float>()[i] == doctest::Approx(6 * x.data<float>()[i]));
  }
}

TEST_CASE("a backward function that is marked differentiable must give what it recorded") {
  const Tensor x = ones({2});
  Tape tape;
  tape.watch(x);
  const Tensor y =
      record("wrong", scalar(1.0f), {x},
             differentiable([](const Tensor&, Gradients& gradients) { gradients.into(0).tensor.fill(1.0f); }));
  CHECK_THROWS_WITH_AS(
      tape.gradient(y, x),
      "wrong: backward is marked differentiable, but asked for a buffer instead of giving what it recorded", TapeError);
}

TEST_CASE("a fused activation has the second derivative of its parts, unless its weight is frozen") {
  const Tensor x = values({3, 4}, 1), bias = values({5}, 9);
  const auto product = [&](bool fused, Parameter& w) {
    Tape tape;
    const Tensor y = fused ? linear_gelu(x, w, bias) : gelu(linear(x, w, bias));
    tape.watch(w.value());
    tape.backward(weighted(tape.gradients(sum(y), std::vector<Tensor>{w.value()})));
    return tape.gradient(w.value());
  };
  Parameter w(values({5, 4}, 3), Role::weight);
  const Tensor fused = product(true, w), parts = product(false, w);
  for (std::int64_t i = 0; i < parts.numel(); ++i) {
    CHECK(fused.data<float>()[i] == doctest::Approx(parts.data<float>()[i]).epsilon(1e-5));
  }
  {
    Tape tape;
    const Tensor y = sum(linear_gelu(x, w, bias));
    Tensor same = w.value();
    same.fill(2.0f);
    CHECK_THROWS_WITH_AS(tape.gradient(y, w), "gradient: weight [5, 4] was changed in place after linear_gelu used it",
                         TapeError);
  }
  w.freeze();
  Tape tape;
  tape.watch(x);
  const Tensor y = sum(linear_gelu(x, w, bias));
  CHECK_THROWS_WITH_AS(tape.gradient(y, x),
                       "gradient: linear_gelu with a frozen weight has no second derivative, linear has one",
                       TapeError);
}
