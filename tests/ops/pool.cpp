#include <doctest/doctest.h>

#include <cmath>

#include <temper/autograd/ops/pool.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

using namespace temper;

namespace {

std::vector<float> values(const Tensor& x) { return {x.values<float>().begin(), x.values<float>().end()}; }

Tensor sum(const Tensor& y) {
  float total = 0;
  for (const float value : y.values<float>()) total += value;
  return record("sum", scalar(total), {y},
                [shape = y.shape()](const Tensor&, Gradients& gradients) { gradients.give(0, ones(shape)); });
}

}  // namespace

TEST_CASE("max_pool2d: the first of equal elements gets the gradient, NaN is propagated") {
  const Tensor x = from({1, 5, 2, 2,  //
                         5, 3, 2, 2},
                        {1, 2, 4, 1});
  Tape tape;
  tape.watch(x);
  const Tensor y = max_pool2d(x, {.kernel = 2});
  CHECK(y.shape() == Shape{1, 1, 2, 1});
  CHECK(values(y) == std::vector<float>{5, 2});
  tape.backward(sum(y));
  CHECK(values(tape.gradient(x)) == std::vector<float>{0, 1, 1, 0, 0, 0, 0, 0});

  CHECK(std::isnan(max_pool2d(from({NAN, 1, 1, 1}, {1, 2, 2, 1}), {.kernel = 2}).item()));
  CHECK(std::isnan(max_pool2d(from({1, 1, NAN, 1}, {1, 2, 2, 1}), {.kernel = 2}).item()));
}

TEST_CASE("max_pool2d: padding is never the maximum, gradients of overlapping windows are added") {
  const Tensor x = full({2, 4, 4, 3}, -1.0f);
  Tape tape;
  tape.watch(x);
  const Tensor y = max_pool2d(x, {.kernel = 3, .stride = {2, 1}, .padding = 1});
  CHECK(y.shape() == Shape{2, 2, 4, 3});
  for (const float value : y.values<float>()) CHECK(value == -1.0f);
  tape.backward(sum(y));
  double total = 0;
  for (const float dx : tape.gradient(x).values<float>()) total += dx;
  CHECK(total == 48);
  CHECK(tape.gradient(x).data<float>()[0] == 2);  // the maximum of the first two windows of the first row
}

TEST_CASE("avg_pool2d with and without the padding") {
  const Tensor x = ones({1, 2, 2, 1});
  {
    Tape tape;
    tape.watch(x);
    const Tensor y = avg_pool2d(x, {.kernel = 2, .padding = 1});
    CHECK(values(y) == std::vector<float>{0.25f, 0.25f, 0.25f, 0.25f});
    tape.backward(sum(y));
    CHECK(values(tape.gradient(x)) == std::vector<float>{0.25f, 0.25f, 0.25f, 0.25f});
  }
  Tape tape;
  tape.watch(x);
  const Tensor y = avg_pool2d(x, {.kernel = 2, .padding = 1, .count_include_pad = false});
  CHECK(values(y) == std::vector<float>{1, 1, 1, 1});
  tape.backward(sum(y));
  CHECK(values(tape.gradient(x)) == std::vector<float>{1, 1, 1, 1});
}

TEST_CASE("pooling throws for sizes that do not fit") {
  const Tensor x = ones({1, 4, 4, 2});
  CHECK_THROWS_WITH_AS(max_pool2d(x, {.kernel = 2, .padding = {1, 2}}),
                       "max_pool2d: padding 1 x 2, expected at most half of the kernel 2 x 2", ValueError);
  CHECK_THROWS_WITH_AS(max_pool2d(x, {.kernel = 5}),
                       "max_pool2d: kernel 5 x 5 does not fit into input [1, 4, 4, 2], 4 x 4 with its padding",
                       ShapeError);
  CHECK_THROWS_WITH_AS(avg_pool2d(x, {.kernel = 2, .stride = {2, 0}}), "avg_pool2d: stride 2 x 0, expected at least 1",
                       ValueError);
  CHECK_THROWS_WITH_AS(avg_pool2d(x, {.kernel = 0}), "avg_pool2d: kernel 0 x 0, expected at least 1", ValueError);
  CHECK_THROWS_WITH_AS(avg_pool2d(ones({4, 4}), {.kernel = 2}),
                       "avg_pool2d: input f32 [4, 4], expected f32 or bf16 [N, H, W, C]", ShapeError);
  CHECK(max_pool2d(ones({0, 4, 4, 2}), {.kernel = 2}).shape() == Shape{0, 2, 2, 2});
}
