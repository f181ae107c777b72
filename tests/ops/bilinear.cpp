// Gradients of operations that are linear in each argument satisfy <dy, f(u, w)> = <dx, u> for every u. Unlike finite
// differences, this has only rounding errors.

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include <temper/autograd/ops/conv.hpp>
#include <temper/autograd/ops/matmul.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

using namespace temper;

namespace {

double dot(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double sum = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) sum += double{a.data<float>()[i]} * b.data<float>()[i];
  return sum;
}

double length(const Tensor& a) { return std::sqrt(dot(a, a)); }

/// A scalar loss whose gradient dy is a given tensor: the inner product with it.
Tensor against(const Tensor& y, const Tensor& dy) {
  return record("against", scalar(static_cast<float>(dot(y, dy))), {y},
                [dy](const Tensor&, Gradients& gradients) { gradients.give(0, dy); });
}

using Function = std::function<Tensor(const Tensor&, const Tensor&)>;

/// `uses`: how often the operation occurs in the loss, to check that gradients are accumulated.
void check(const Function& f, const Shape& a_shape, const Shape& b_shape, int uses = 2) {
  const Tensor a = normal(a_shape), b = normal(b_shape);
  Tape tape;
  tape.watch(a);
  tape.watch(b);
  const Tensor y = f(a, b);
  const Tensor dy = normal(y.shape());
  Tensor loss = against(y, dy);
  for (int i = 1; i < uses; ++i) {
    const Tensor again = against(f(a, b), dy);
    loss = record("add", scalar(0.0f), {loss, again}, [](const Tensor& g, Gradients& gradients) {
      gradients.give(0, g);
      gradients.give(1, g);
    });
  }
  tape.backward(loss);
  CAPTURE(a_shape);
  CAPTURE(b_shape);
  const Tensor u = normal(a_shape), v = normal(b_shape);
  const Tensor yu = f(u, b), yv = f(a, v);
  CHECK(std::abs(uses * dot(dy, yu) - dot(tape.gradient(a), u)) <= 1e-6 * (1 + length(dy) * length(yu)));
  CHECK(std::abs(uses * dot(dy, yv) - dot(tape.gradient(b), v)) <= 1e-6 * (1 + length(dy) * length(yv)));
}

template <class E>
void check_error(const std::function<void()>& call, const char* text) {
  CHECK_THROWS_WITH_AS(call(), text, E);
}

}  // namespace

TEST_CASE("matmul's gradients, plain, batched, with one b for a batch, either side transposed") {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const Function f = [=](const Tensor& a, const Tensor& b) { return matmul(a, b, {ta, tb}); };
      const auto shape = [](bool transposed, std::int64_t rows, std::int64_t columns) {
        return transposed ? Shape{columns, rows} : Shape{rows, columns};
      };
      const auto batch = [](std::initializer_list<std::int64_t> leading, const Shape& matrix) {
        Shape s = matrix;
        int axis = 0;
        for (const std::int64_t size : leading) s = s.with_axis(axis++, size);
        return s;
      };
      check(f, shape(ta, 5, 7), shape(tb, 7, 9));
      check(f, shape(ta, 1, 17), shape(tb, 17, 1));
      check(f, batch({3}, shape(ta, 5, 7)), batch({3}, shape(tb, 7, 9)));
      check(f, batch({2, 3}, shape(ta, 5, 7)), batch({2, 3}, shape(tb, 7, 9)));
      check(f, batch({3}, shape(ta, 5, 7)), shape(tb, 7, 9));
      check(f, batch({2, 3}, shape(ta, 4, 16)), shape(tb, 16, 2));
      check(f, batch({0}, shape(ta, 5, 7)), shape(tb, 7, 9));
      check(f, shape(ta, 5, 0), shape(tb, 0, 9));
    }
  }
  const Tensor y = matmul(from({1, 2, 3, 4, 5, 6}, {2, 3}), from({1, 0, 2}, {3, 1}));
  CHECK(y.shape() == Shape{2, 1});
  CHECK(y.data<float>()[0] == 7);
  CHECK(y.data<float>()[1] == 16);
}

TEST_CASE("linear's gradients; the bias gets the sum over all rows") {
  const Function f = [](const Tensor& x, const Tensor& w) { return linear(x, w); };
  check(f, {6, 5}, {9, 5});
  check(f, {2, 3, 17}, {8, 17});
  check(f, {5}, {9, 5});
  check(f, {0, 5}, {9, 5});

  const Tensor x = normal({2, 3, 5}), dy = normal({2, 3, 4});
  const Parameter w(normal({4, 5}), Role::weight), bias(normal({4}), Role::bias);
  const Tensor plain = linear(x, w);
  for (int round = 1; round <= 2; ++round) {
    Tape tape;
    const Tensor y = linear(x, w, bias);
    for (int i = 0; i < 24; ++i) {
      CHECK(y.data<float>()[i] == doctest::Approx(plain.data<float>()[i] + bias.value().data<float>()[i % 4]));
    }
    tape.backward(against(y, dy));
    for (int j = 0; j < 4; ++j) {
      double sum = 0;
      for (int i = 0; i < 6; ++i) sum += dy.data<float>()[i * 4 + j];
      CHECK(bias.gradient().data<float>()[j] == doctest::Approx(round * sum));
    }
  }
}

TEST_CASE("conv2d's gradients") {
  const auto f = [](Conv2dOptions options) -> Function {
    return [options](const Tensor& x, const Tensor& w) { return conv2d(x, w, {}, options); };
  };
  check(f({}), {2, 5, 6, 3}, {4, 3, 3, 2});
  check(f({.stride = {2, 1}, .padding = {1, 2}}), {2, 5, 6, 3}, {4, 3, 3, 2});
  check(f({.padding = 2, .dilation = 2, .groups = 2}), {2, 6, 6, 4}, {6, 2, 3, 3});
  check(f({.stride = 4, .groups = 5}), {3, 9, 9, 5}, {5, 1, 2, 2});
  check(f({}), {0, 5, 6, 3}, {4, 3, 3, 2});

  const Parameter w(normal({4, 3, 2, 2}), Role::weight), bias(normal({4}), Role::bias);
  Tape tape;
  const Tensor y = conv2d(normal({2, 3, 3, 3}), w, bias);
  CHECK(y.shape() == Shape{2, 2, 2, 4});
  tape.backward(against(y, ones(y.shape())));
  for (const float db : bias.gradient().values<float>()) CHECK(db == 8.0f);
}

TEST_CASE("operands that do not fit are refused, with names and shapes") {
  const Tensor x = ones({1, 8, 8, 3});
  check_error<ShapeError>(
      [&] {
        conv2d(x, ones({4, 1, 3, 3}));
      },
      "conv2d: input [1, 8, 8, 3] has 3 channels, weight [4, 1, 3, 3] expects 1");
  check_error<ShapeError>(
      [&] {
        conv2d(x, ones({4, 1, 3, 3}), {}, {.groups = 2});
      },
      "conv2d: input [1, 8, 8, 3] has 3 channels, weight [4, 1, 3, 3] expects 2 in 2 groups");
  check_error<ShapeError>(
      [&] {
        conv2d(x, ones({4, 1, 3, 3}), {}, {.groups = 3});
      },
      "conv2d: weight [4, 1, 3, 3] has 4 output channels, not a multiple of 3 groups");
  check_error<ShapeError>(
      [&] {
        conv2d(x, ones({4, 3, 3, 3}), ones({3}));
      },
      "conv2d: bias f32 [3], weight [4, 3, 3, 3] expects f32 [4]");
  check_error<ShapeError>(
      [&] {
        conv2d(x, ones({4, 3, 9, 3}));
      },
      "conv2d: kernel 9 x 3 does not fit into input [1, 8, 8, 3], 8 x 8 with its padding");
  check_error<ShapeError>(
      [&] {
        conv2d(x, ones({4, 3, 5, 3}), {}, {.padding = {0, 1}, .dilation = 2});
      },
      "conv2d: kernel 5 x 3, dilated to 9 x 5, does not fit into input [1, 8, 8, 3], 8 x 10 with its padding");
  check_error<ShapeError>(
      [&] {
        conv2d(ones({8, 8, 3}), ones({4, 3, 3, 3}));
      },
      "conv2d: input f32 [8, 8, 3], expected f32 or bf16 [N, H, W, C]");
  check_error<ShapeError>(
      [&] {
        conv2d(x, ones({4, 3, 3}));
      },
      "conv2d: weight f32 [4, 3, 3], expected f32 [out, in / groups, kernel_h, kernel_w]");
  check_error<ValueError>(
      [&] {
        conv2d(x, ones({4, 3, 3, 3}), {}, {.stride = {1, 0}});
      },
      "conv2d: stride 1 x 0, expected at least 1");
  check_error<ValueError>(
      [&] {
        conv2d(x, ones({4, 3, 3, 3}), {}, {.padding = -1});
      },
      "conv2d: padding -1 x -1, expected at least 0");

  check_error<ShapeError>(
      [] {
        linear(ones({4, 5}), ones({3, 6}));
      },
      "linear: input [4, 5] has 5 features, weight [3, 6] expects 6");
  check_error<ShapeError>(
      [] {
        linear(ones({4, 5}), ones({3, 5}), ones({4}));
      },
      "linear: bias [4], weight [3, 5] expects [3]");
  check_error<ShapeError>(
      [] {
        linear(indices({1, 2}), ones({3, 2}));
      },
      "linear: input [2] is i64, expected f32 or bf16");
  check_error<ShapeError>(
      [] {
        matmul(ones({4, 5}), ones({4, 5}));
      },
      "matmul: a [4, 5] has 5 columns, b [4, 5] has 4 rows");
  check_error<ShapeError>(
      [] {
        matmul(ones({4, 5}), ones({4, 5}), {.transpose_a = true, .transpose_b = true});
      },
      "matmul: a [4, 5] transposed has 4 columns, b [4, 5] transposed has 5 rows");
  check_error<ShapeError>(
      [] {
        matmul(ones({2, 4, 5}), ones({3, 5, 4}));
      },
      "matmul: a [2, 4, 5] and b [3, 5, 4] differ in their leading axes [2] and [3]");
  check_error<ShapeError>(
      [] {
        matmul(ones({5}), ones({5, 4}));
      },
      "matmul: a [5] and b [5, 4], expected at least two axes each");
}
