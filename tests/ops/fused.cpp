// Fused operations give the same results as the operations they replace.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>

#include "tests/larger.hpp"

namespace temper::test {

namespace {

using Tensors = std::vector<Tensor>;
using Function = std::function<Tensor(const Tensors&)>;

/// The result and the gradients of the inputs.
Tensors run(const Function& f, const Tensors& inputs) {
  Tape tape;
  for (const Tensor& x : inputs) tape.watch(x);
  const Tensor y = f(inputs);
  Tensor dy = empty(y.shape());
  float value = 0.3f;
  for (float& element : dy.mutable_values<float>()) element = std::sin(value += 0.7f);
  tape.backward(sum(y * dy));
  Tensors results = {y};
  for (const Tensor& x : inputs) results.push_back(tape.gradient(x));
  return results;
}

void same(const Function& fused, const Function& parts, const Tensors& inputs, float tolerance = 0.0f) {
  const Tensors one = run(fused, inputs), two = run(parts, inputs);
  for (std::size_t i = 0; i < one.size(); ++i) {
    CAPTURE(i);
    REQUIRE(one[i].shape() == two[i].shape());
    const auto a = one[i].values<float>(), b = two[i].values<float>();
    float largest = 1.0f;
    for (const float value : b) largest = temper_test::larger(largest, std::abs(value));
    for (std::size_t k = 0; k < a.size(); ++k) REQUIRE(std::abs(a[k] - b[k]) <= tolerance * largest);
  }
}

}  // namespace

TEST_CASE("batch_norm_relu is relu after batch_norm and an addition, bit for bit") {
  manual_seed(5);
  const Tensor x = normal({3, 5, 4, 19}), residual = normal({3, 5, 4, 19}), weight = normal({19}), bias = normal({19});
  for (const bool frozen : {false, true}) {
    const BatchNormOptions options{.frozen = frozen};
    const auto statistics = [] { return std::pair(full({19}, 0.1f), ones({19})); };
    const auto normed = [&](const Tensors& in) {
      const auto [mean, variance] = statistics();
      return batch_norm(in[0], in[1], in[2], mean, variance, options);
    };
    const auto fused = [&](const Tensors& in) {
      const auto [mean, variance] = statistics();
      return batch_norm_relu(in[0], in[1], in[2], mean, variance, options, in.size() > 3 ? in[3] : Tensor());
    };
    same(fused, [&](const Tensors& in) { return relu(normed(in)); }, {x, weight, bias});
    same(fused, [&](const Tensors& in) { return relu(normed(in) + in[3]); }, {x, weight, bias, residual});
  }
  CHECK_THROWS_WITH_AS(batch_norm_relu(ones({4, 3}), ones({3}), ones({3}), ones({3}), ones({3}), {}, ones({3})),
                       "batch_norm_relu: residual f32 [3], input f32 [4, 3] expects the same", ShapeError);
}

TEST_CASE("linear_relu, linear_gelu and linear_silu are linear and the activation after it") {
  manual_seed(6);
  using Fused = std::function<Tensor(const Tensor&, const Tensor&, const Tensor&)>;
  using Activation = std::function<Tensor(const Tensor&)>;
  const auto gelu_form = [](GeluForm form) {
    return std::pair<Fused, Activation>(
        [=](const Tensor& x, const Tensor& w, const Tensor& b) { return linear_gelu(x, w, b, form); },
        [=](const Tensor& x) { return gelu(x, form); });
  };
  for (const auto& pair : {std::pair<Fused, Activation>(linear_relu, relu),
                           {linear_silu, silu},
                           gelu_form(GeluForm::erf),
                           gelu_form(GeluForm::tanh)}) {
    const auto& operation = pair.first;
    const auto& activation = pair.second;
    const auto fused = [&](const Tensors& in) { return operation(in[0], in[1], in.size() > 2 ? in[2] : Tensor()); };
    const auto parts = [&](const Tensors& in) {
      return activation(linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor()));
    };
    for (const std::int64_t rows : {1, 3, 300}) {
      const Tensor x = normal({rows, 13}), weight = normal({21, 13}), bias = normal({21});
      same(fused, parts, {x, weight});
      same(fused, parts, {x, weight, bias}, 2e-6f);  // the bias and its gradient are summed in another order
      CHECK(std::ranges::equal(fused({x, weight, bias}).values<float>(),  // unrecorded, in place
                               run(fused, {x, weight, bias})[0].values<float>()));
    }
    Tensor x = ones({2, 3});
    x.mutable_data<float>()[1] = NAN;
    CHECK(std::isnan(fused({x, ones({2, 3}), ones({2})}).values<float>()[0]));
  }
  CHECK_THROWS_WITH_AS(linear_relu(ones({2, 3}), ones({4, 5})),
                       "linear_relu: input [2, 3] has 3 features, weight [4, 5] expects 5", ShapeError);
}

TEST_CASE("backward of a fused activation throws if its bias was changed in place") {
  const Tensor x = ones({2, 3}), weight = ones({4, 3});
  for (const bool relu : {false, true}) {
    Tensor bias = ones({4});
    Tape tape;
    tape.watch(x);
    const Tensor loss = sum(relu ? linear_relu(x, weight, bias) : linear_gelu(x, weight, bias));
    bias.fill(2.0f);
    if (relu) {
      CHECK_NOTHROW(tape.backward(loss));  // needs the output only
    } else {
      CHECK_THROWS_AS(tape.backward(loss), TapeError);
    }
  }
}

TEST_CASE("add_layer_norm is an addition and layer_norm, bit for bit, and so are its gradients") {
  manual_seed(10);
  for (const std::int64_t rows : {1, 3, 300}) {
    const Tensors inputs = {normal({rows, 19}), normal({rows, 19}), normal({19}), normal({19})};
    // As in a pre-norm block: both the sum and its norm are used.
    const auto before = [](const Tensor& sum, const Tensor& normed) { return sum * 0.5f + tanh(normed); };
    same(
        [&](const Tensors& in) {
          const auto [sum, normed] = add_layer_norm(in[0], in[1], in[2], in[3], {.eps = 1e-3f});
          return before(sum, normed);
        },
        [&](const Tensors& in) {
          const Tensor sum = in[0] + in[1];
          return before(sum, layer_norm(sum, in[2], in[3], {.eps = 1e-3f}));
        },
        inputs);
    // As in a post-norm block: only the norm is used.
    same([](const Tensors& in) { return add_layer_norm(in[0], in[1], in[2], in[3]).norm; },
         [](const Tensors& in) { return layer_norm(in[0] + in[1], in[2], in[3]); }, inputs);
    // The same tensor as both terms.
    same([](const Tensors& in) { return add_layer_norm(in[0], in[0], in[2], in[3]).norm; },
         [](const Tensors& in) { return layer_norm(in[0] + in[0], in[2], in[3]); }, inputs);
  }
}

TEST_CASE("max_pool2d_relu is max_pool2d after relu, bit for bit") {
  manual_seed(7);
  const auto check = [](const Tensor& x, const PoolOptions& options) {
    same([&](const Tensors& in) { return max_pool2d_relu(in[0], options); },
         [&](const Tensors& in) { return max_pool2d(relu(in[0]), options); }, {x});
    same([&](const Tensors& in) { return max_pool2d_relu(in[0], options); },
         [&](const Tensors& in) { return relu(max_pool2d(in[0], options)); }, {x});
  };
  for (const std::int64_t channels : {1, 5, 16, 32}) {
    const Tensor x = normal({2, 6, 8, channels}) - 0.7f;
    check(x, {.kernel = 2});
    check(x, {.kernel = 3, .stride = 2, .padding = 1});
    check(x, {.kernel = {3, 2}});
    check(x, {.kernel = 5});
  }
  Tensor x = full({1, 2, 2, 1}, -1.0f);
  x.mutable_data<float>()[2] = NAN;
  CHECK(std::isnan(max_pool2d_relu(x, {.kernel = 2}).item()));
}

TEST_CASE("self_attention is scaled_dot_product_attention of the projection's parts") {
  manual_seed(8);
  const auto parts = [](std::int64_t heads, const AttentionOptions& options) {
    return [=](const Tensors& in) {
      const Tensor& x = in[0];
      const std::int64_t n = x.size(0), t = x.size(1), width = x.size(2) / 3 / heads;
      const Tensor qkv = permute(reshape(x, {n, t, 3, heads, width}), {2, 0, 3, 1, 4});
      const auto part = [&](std::int64_t i) { return reshape(slice(qkv, 0, i, i + 1), {n, heads, t, width}); };
      return flatten(permute(scaled_dot_product_attention(part(0), part(1), part(2), options), {0, 2, 1, 3}), 2);
    };
  };
  for (const std::int64_t tokens : {1, 7, 64, 150}) {
    const Tensor x = normal({2, tokens, 3 * 3 * 5});
    Tensor mask = zeros({2, 1, 1, tokens}, Dtype::boolean);
    for (std::int64_t i = 0; i < mask.numel(); ++i) mask.mutable_data<bool>()[i] = i % 3 != 1;
    for (const bool causal : {false, true}) {
      for (const bool masked : {false, true}) {
        if (masked && tokens == 1) continue;
        const AttentionOptions options{.mask = masked ? mask : Tensor(), .causal = causal, .scale = 0.9f};
        if (masked && causal) continue;  // token 0 of the second example would see no key
        same([&](const Tensors& in) { return self_attention(in[0], 3, options); }, parts(3, options), {x}, 1e-6f);
      }
    }
  }
  CHECK_THROWS_WITH_AS(self_attention(ones({2, 4, 9}), 2),
                       "self_attention: projected [2, 4, 9], expected [N, T, 3 * 2 heads * D]", ShapeError);
  CHECK_THROWS_WITH_AS(self_attention(ones({2, 4, 12}), 2, {.mask = zeros({3, 4}, Dtype::boolean)}),
                       "self_attention: mask [3, 4] does not broadcast to the scores [2, 2, 4, 4]", ShapeError);
  CHECK_THROWS_WITH_AS(
      self_attention(ones({2, 4, 12}), 2, {.mask = zeros({4, 4}, Dtype::boolean)}),
      "self_attention: query [0, 0, 0] of [2, 2, 4] sees no key; with empty_rows = EmptyRows::zero its "
      "result is 0",
      ValueError);
}

TEST_CASE("cross entropy overwrites the logits with their gradient only if no other handle shares them") {
  manual_seed(9);
  const Tensor x = normal({5, 7}), weight = normal({11, 7});
  const Tensor labels = zeros({5}, Dtype::i64);
  const auto gradient = [&](bool hold) {
    Tape tape;
    tape.watch(x);
    Tensor held = linear(x, weight);
    const Tensor before = held.clone();
    const Tensor loss = cross_entropy(held, labels);
    if (!hold) held = Tensor();
    tape.backward(loss);
    if (hold) CHECK(std::ranges::equal(held.values<float>(), before.values<float>()));
    return tape.gradient(x);
  };
  CHECK(std::ranges::equal(gradient(true).values<float>(), gradient(false).values<float>()));
}

}  // namespace temper::test
