// Operations on bf16 compute in float and round their results.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>
#include <temper/nn/bf16.hpp>

#include "tests/ops/op_test.hpp"

namespace temper::test {

const std::vector<Bf16Op>& bf16_ops() {
  static const std::vector<Bf16Op> ops = {
      {.name = "add"},
      {.name = "sub"},
      {.name = "mul", .roundings = 2},  // rounded products are summed where an operand was broadcast
      {.name = "div", .roundings = 2},
      {.name = "neg"},
      {.name = "exp", .roundings = 2},  // the derivative is computed from the rounded output, here and below
      {.name = "log"},
      {.name = "sqrt", .roundings = 2},
      {.name = "abs"},
      {.name = "clamp"},
      {.name = "relu"},
      {.name = "leaky_relu"},
      {.name = "gelu"},
      {.name = "gelu_tanh"},
      {.name = "silu"},
      {.name = "sigmoid", .roundings = 3},
      {.name = "tanh", .roundings = 3},
      {.name = "softplus"},
      {.name = "dropout"},
      {.name = "sum"},
      {.name = "mean"},
      {.name = "argmax"},
      {.name = "embedding", .roundings = 2},  // gradients of repeated rows are added in bf16
      {.name = "layer_norm", .f32 = {1, 2}},
      {.name = "add_layer_norm", .roundings = 2, .f32 = {2, 3}},  // the sum is rounded before it is normalized
      {.name = "rms_norm", .f32 = {1}},
      {.name = "cross_entropy"},
      {.name = "batch_norm", .f32 = {1, 2, 3, 4}},
      {.name = "conv2d", .f32 = {2}, .multiplies = true},
      {.name = "max_pool2d"},
      {.name = "avg_pool2d"},
      {.name = "global_avg_pool2d"},
      {.name = "flatten_chw"},
      {.name = "expand"},
      {.name = "gather"},
      {.name = "linear", .f32 = {2}, .multiplies = true},
      {.name = "linear_gelu", .roundings = 2, .f32 = {2}, .multiplies = true},
      {.name = "linear_silu", .roundings = 2, .f32 = {2}, .multiplies = true},
      {.name = "matmul", .multiplies = true},
      {.name = "scaled_dot_product_attention", .roundings = 4, .multiplies = true},
      {.name = "sin"},
      {.name = "cos"},
      {.name = "asin"},
      {.name = "acos"},
      {.name = "atan"},
      {.name = "sinh"},
      {.name = "cosh"},
      {.name = "asinh"},
      {.name = "acosh"},
      {.name = "atanh"},
      {.name = "erf"},
      {.name = "log1p"},
      {.name = "square"},
      {.name = "sign"},
      {.name = "floor"},
      {.name = "ceil"},
      {.name = "round"},
      {.name = "trunc"},
      {.name = "mish"},
      {.name = "softsign"},
      {.name = "hardsigmoid"},
      {.name = "hardswish"},
      {.name = "relu6"},
      {.name = "selu"},
      {.name = "elu"},
      {.name = "celu"},
      {.name = "softshrink"},
      {.name = "hardshrink"},
      {.name = "threshold"},
      {.name = "hardtanh"},
      {.name = "swiglu"},
      {.name = "geglu"},
      {.name = "reglu"},
      {.name = "glu"},
      {.name = "tan", .roundings = 3},  // the derivative is computed from the rounded output
      {.name = "expm1"},
      {.name = "rsqrt", .roundings = 3},
      {.name = "reciprocal", .roundings = 3},
      {.name = "logsigmoid", .roundings = 2},
      {.name = "tanhshrink", .roundings = 3},
      {.name = "rotary_embedding"},
      {.name = "group_norm", .f32 = {1, 2}},
      {.name = "instance_norm", .f32 = {1, 2}},
      {.name = "grouped_attention", .roundings = 4, .f32 = {3}, .multiplies = true},
      {.name = "packed_attention", .roundings = 4, .multiplies = true},
      {.name = "conv1d", .f32 = {2}, .multiplies = true},
      {.name = "conv3d", .roundings = 2, .f32 = {2}, .multiplies = true},  // overlapping slices are added in bf16
      {.name = "conv_transpose2d",
       .roundings = 2,
       .f32 = {2},
       .multiplies = true},  // the bias is added to rounded sums
      {.name = "conv_transpose1d", .roundings = 2, .f32 = {2}, .multiplies = true},
      {.name = "pad"},
      {.name = "class_weights", .f32 = {1, 2}},
      {.name = "linear_cross_entropy", .roundings = 2, .multiplies = true},
      {.name = "interpolate", .roundings = 2},  // rows, then columns
      {.name = "pixel_shuffle"},
      {.name = "pixel_unshuffle"},
      {.name = "einsum", .roundings = 4, .multiplies = true},  // partial sums and products of several operands
      {.name = "broadcast_matmul", .roundings = 2, .multiplies = true},
      {.name = "where"},
      {.name = "masked_fill"},
      {.name = "index_select"},
      {.name = "index_add"},
      {.name = "scatter"},
      {.name = "scatter_add"},
      {.name = "sort"},
      {.name = "topk"},
      {.name = "masked_select"},
      {.name = "tile", .roundings = 3},  // an axis after the other, and so its gradient
      {.name = "repeat_interleave"},
      {.name = "cumsum"},
      {.name = "argmin"},
      {.name = "last_arg"},
      {.name = "var"},
      {.name = "std"},
      {.name = "norm", .roundings = 2},
      {.name = "logsumexp"},
      {.name = "segment_sum"},
      {.name = "segment_mean"},
      {.name = "segment_max"},
      {.name = "segment_min"},
      {.name = "embedding_bag", .roundings = 2, .f32 = {2, 3}},  // rows that repeat add up in bf16
      {.name = "nll_loss", .f32 = {2}},
      {.name = "unfold"},
      {.name = "fold"},
      {.name = "max_pool_options"},
      {.name = "avg_pool_options", .roundings = 3},  // scaled where a window reaches out of the image
      {.name = "max_pool_sides"},
      {.name = "avg_pool_sides"},
      {.name = "conv2d_padding", .f32 = {2}, .multiplies = true},
  };
  return ops;
}

TEST_CASE("operations on bf16 agree with the reference up to their roundings") {
  const std::vector<OpTest> all = all_ops();
  for (const Bf16Op& op : bf16_ops()) {
    CAPTURE(op.name);
    const auto test = std::ranges::find(all, op.name, &OpTest::name);
    REQUIRE(test != all.end());
    if (op.multiplies && !nn::bf16_supported()) {
      MESSAGE(op.name << " is left out: this CPU has no instructions for bf16");
      continue;
    }
    check_bf16(*test, op);
  }
}

namespace {

Tensor narrow(const Tensor& x) { return to(x, Dtype::bf16); }

float element(const Tensor& x, std::int64_t i) { return to(x, Dtype::f32).data<float>()[i]; }

}  // namespace

TEST_CASE("to() rounds to nearest even, and passes gradients through") {
  const Tensor x = from({1.0f, 1.00390625f, 1.01171875f, -3.0e38f, INFINITY, -INFINITY, NAN, 1e-40f}, {8});
  const Tensor y = narrow(x);
  CHECK(y.dtype() == Dtype::bf16);
  CHECK(element(y, 0) == 1.0f);
  CHECK(element(y, 1) == 1.0f);       // halfway, to even
  CHECK(element(y, 2) == 1.015625f);  // halfway, to even
  CHECK(element(y, 4) == INFINITY);
  CHECK(element(y, 5) == -INFINITY);
  CHECK(std::isnan(element(y, 6)));
  CHECK(element(y, 7) == 0x1p-133f);  // also denormal numbers
  CHECK(to(y, Dtype::bf16).same(y));
  CHECK(to(narrow(from({-2.5f, 1.0f}, {2})), Dtype::i64).data<std::int64_t>()[0] == -2);
  CHECK(element(to(arange(300), Dtype::bf16), 257) == 256.0f);

  const Tensor a = ones({3}), b = narrow(ones({3}));
  Tape tape;
  tape.watch(a);
  tape.watch(b);
  tape.backward(sum(to(narrow(a) * b, Dtype::f32)));
  CHECK(tape.gradient(a).dtype() == Dtype::f32);
  CHECK(tape.gradient(b).dtype() == Dtype::bf16);
  CHECK(element(tape.gradient(a), 0) == 1.0f);
}

TEST_CASE("f32 and bf16 do not mix, and the error names both") {
  const Tensor a = ones({2, 2}), b = narrow(a);
  CHECK_THROWS_WITH_AS(a + b, "add: a [2, 2] is f32, b [2, 2] is bf16, expected the same dtype", ShapeError);
  CHECK_THROWS_WITH_AS(b * a, "mul: a [2, 2] is bf16, b [2, 2] is f32, expected the same dtype", ShapeError);
  CHECK_THROWS_WITH_AS(linear(b, a), "linear: input [2, 2] is bf16, weight [2, 2] is f32, expected the same dtype",
                       ShapeError);
  CHECK(element(0.5 * b + 1, 0) == 1.5f);  // plain numbers work with any dtype
}

namespace {

/// Checks that an operation on x in bf16 gives its f32 result rounded once, and that its gradient does so too.
void check_rounded_once(const std::string& name, const auto& operation, const Tensor& x) {
  CAPTURE(name);
  const auto run = [&](const Tensor& input) {
    Tape tape;
    tape.watch(input);
    const Tensor y = operation(input);
    CHECK(y.dtype() == input.dtype());
    Tensor dy = empty(y.shape());
    float value = 0.3f;
    for (float& slope : dy.mutable_values<float>()) slope = std::sin(value += 0.7f);
    tape.backward(sum(to(y, Dtype::f32) * to(narrow(dy), Dtype::f32)));
    return std::pair(narrow(y), narrow(tape.gradient(input)));
  };
  const auto [y, dx] = run(narrow(x));
  const auto [expected_y, expected_dx] = run(to(narrow(x), Dtype::f32));
  const auto same = [](BFloat16 a, BFloat16 b) { return a.bits == b.bits; };
  CHECK(std::ranges::equal(y.template values<BFloat16>(), expected_y.template values<BFloat16>(), same));
  CHECK(std::ranges::equal(dx.template values<BFloat16>(), expected_dx.template values<BFloat16>(), same));
}

}  // namespace

TEST_CASE("a number beside bf16 is f32: the result is rounded once, and so is the gradient") {
  manual_seed(4);
  const Tensor x = normal({1000});
  const auto check = [&](const std::string& name, const auto& operation) { check_rounded_once(name, operation, x); };
  check("x + 0.1", [](const Tensor& in) { return in + 0.1; });
  check("0.1 + x", [](const Tensor& in) { return 0.1 + in; });
  check("x - 0.1", [](const Tensor& in) { return in - 0.1; });
  check("0.1 - x", [](const Tensor& in) { return 0.1 - in; });
  check("x * 0.1", [](const Tensor& in) { return in * 0.1; });
  check("0.1 * x", [](const Tensor& in) { return 0.1 * in; });
  check("x / 0.3", [](const Tensor& in) { return in / 0.3; });
  check("0.3 / x", [](const Tensor& in) { return 0.3 / in; });
}

TEST_CASE("parameters in bf16 accumulate their gradients in f32") {
  if (!nn::bf16_supported()) {
    MESSAGE("left out: this CPU has no instructions for bf16");
    return;
  }
  const Parameter weight(narrow(ones({2, 3})), Role::weight), table(narrow(ones({4, 3})), Role::embedding);
  for (int pass = 1; pass <= 2; ++pass) {  // the second pass accumulates
    Tape tape;
    // An f32 input is rounded first. The table is used as an embedding, as a weight, and in part.
    const Tensor y = linear(full({5, 3}, 1.0f), weight);
    CHECK(y.dtype() == Dtype::bf16);
    const Tensor z = linear(embedding(indices({1, 1, 3}), table) + slice(table, 0, 0, 1), table);
    tape.backward(cross_entropy(z, indices({0, 1, 2})) + sum(to(y, Dtype::f32)));
    CHECK(weight.gradient().dtype() == Dtype::f32);
    CHECK(weight.gradient().data<float>()[0] == 5.0f * static_cast<float>(pass));
    CHECK(table.gradient().dtype() == Dtype::f32);
  }
  // Four hundred small terms, which would be lost in a bf16 sum.
  const Parameter row(narrow(zeros({1, 1})), Role::embedding);
  Tape tape;
  Tensor ids = zeros({401}, Dtype::i64), factors = full({401, 1}, 0.00390625f);
  factors.mutable_data<float>()[0] = 1.0f;
  tape.backward(sum(to(embedding(ids, row) * narrow(factors), Dtype::f32)));
  CHECK(row.gradient().data<float>()[0] == 2.5625f);
}

TEST_CASE("operations on images in bf16 are those in f32, rounded once, and so are their gradients") {
  manual_seed(10);
  const Tensor x = normal({2, 6, 8, 19}), other = narrow(normal({2, 6, 8, 19}));
  const Tensor weight = normal({19}), bias = normal({19});
  for (const bool frozen : {false, true}) {
    const BatchNormOptions options{.frozen = frozen};
    const auto normed = [&](const Tensor& in, const Tensor& residual) {
      return batch_norm_relu(in, weight, bias, full({19}, 0.1f), ones({19}), options, residual);
    };
    check_rounded_once(
        "batch_norm",
        [&](const Tensor& in) { return batch_norm(in, weight, bias, full({19}, 0.1f), ones({19}), options); }, x);
    check_rounded_once(
        "batch_norm_relu", [&](const Tensor& in) { return normed(in, Tensor()); }, x);
    check_rounded_once(
        "... of a sum", [&](const Tensor& in) { return normed(in, to(other, in.dtype())); }, x);
    check_rounded_once(
        "... with respect to the residual", [&](const Tensor& in) { return normed(to(other, in.dtype()), in); }, x);
  }
  for (const PoolOptions& options : {PoolOptions{.kernel = 2}, {.kernel = 3, .stride = 2, .padding = 1}}) {
    check_rounded_once(
        "max_pool2d", [&](const Tensor& in) { return max_pool2d(in, options); }, x);
    check_rounded_once(
        "max_pool2d_relu", [&](const Tensor& in) { return max_pool2d_relu(in, options); }, x);
    check_rounded_once(
        "avg_pool2d",
        [&](const Tensor& in) {
          return avg_pool2d(in, {.kernel = options.kernel, .stride = options.stride, .padding = options.padding});
        },
        x);
  }
  check_rounded_once(
      "global_avg_pool2d", [](const Tensor& in) { return global_avg_pool2d(in); }, x);
  check_rounded_once(
      "flatten_chw", [](const Tensor& in) { return flatten_chw(in); }, x);
}

TEST_CASE("conv2d on bf16: the input is rounded to the weight's type, and the weight's gradient is f32") {
  const Tensor x = ones({2, 4, 4, 3}), weight = full({5, 3, 3, 3}, 0.5f);
  CHECK_THROWS_WITH_AS(conv2d(narrow(x), weight),
                       "conv2d: weight f32 [5, 3, 3, 3], expected bf16 [out, in / groups, kernel_h, kernel_w]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(batch_norm_relu(narrow(x), ones({3}), ones({3}), ones({3}), ones({3}), {}, x),
                       "batch_norm_relu: residual f32 [2, 4, 4, 3], input bf16 [2, 4, 4, 3] expects the same",
                       ShapeError);
  if (!nn::bf16_supported()) {
    MESSAGE("left out: this CPU has no instructions for bf16");
    return;
  }
  const Parameter parameter(narrow(weight), Role::weight);
  for (int pass = 1; pass <= 2; ++pass) {  // the second pass accumulates
    Tape tape;
    tape.watch(x);
    const Tensor y = conv2d(x, parameter, full({5}, 0.25f));
    CHECK(y.dtype() == Dtype::bf16);
    CHECK(element(y, 0) == 13.75f);
    tape.backward(sum(to(y, Dtype::f32)));
    CHECK(tape.gradient(x).dtype() == Dtype::f32);
    CHECK(tape.gradient(x).data<float>()[0] == 2.5f);
    CHECK(parameter.gradient().dtype() == Dtype::f32);
    CHECK(parameter.gradient().data<float>()[7] == 8.0f * static_cast<float>(pass));
  }
}

TEST_CASE("operations on bf16 propagate NaN and infinity") {
  const Tensor x = narrow(from({NAN, INFINITY, -INFINITY, 3.0e38f}, {4}));
  CHECK(std::isnan(element(relu(x), 0)));
  CHECK(element(relu(x), 1) == INFINITY);
  CHECK(element(relu(x), 2) == 0.0f);
  CHECK(std::isnan(element(gelu(x), 0)));
  CHECK(element(gelu(x), 1) == INFINITY);
  CHECK(element(x + x, 3) == INFINITY);
  CHECK(std::isnan(element(layer_norm(x, ones({4}), zeros({4})), 3)));
  const Tensor images = reshape(x, {1, 2, 2, 1});
  CHECK(std::isnan(element(max_pool2d(images, {.kernel = 2}), 0)));
  CHECK(std::isnan(element(global_avg_pool2d(images), 0)));
  CHECK(std::isnan(element(batch_norm_relu(images, ones({1}), ones({1}), ones({1}), ones({1})), 0)));
  CHECK(element(batch_norm_relu(images, ones({1}), ones({1}), ones({1}), ones({1})), 1) == INFINITY);
  CHECK(std::isnan(cross_entropy(reshape(x, {1, 4}), indices({3})).item()));
}

}  // namespace temper::test
