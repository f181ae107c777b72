// Numbers at the limits of float, infinities and NaN where they must not have an effect, and long sums.

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>

#include "tests/larger.hpp"

namespace temper::test {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

float at(const Tensor& x, std::int64_t i) { return to(x, Dtype::f32).data<float>()[i]; }

bool finite(const Tensor& x) {
  return std::ranges::all_of(x.values<float>(), [](float value) { return std::isfinite(value); });
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return std::ranges::equal(a.values<float>(), b.values<float>(), [](float x, float y) {
    return std::bit_cast<std::uint32_t>(x) == std::bit_cast<std::uint32_t>(y);
  });
}

/// The largest difference relative to the largest expected number.
double difference(const Tensor& got, const Tensor& expected) {
  double worst = 0.0, largest = 0.0;
  for (std::int64_t i = 0; i < got.numel(); ++i) {
    const double error = std::abs(static_cast<double>(at(got, i)) - static_cast<double>(at(expected, i)));
    worst = temper_test::larger(worst, error);
    largest = temper_test::larger(largest, std::abs(static_cast<double>(at(expected, i))));
  }
  return worst / largest;
}

}  // namespace

TEST_CASE("norms of numbers whose squares overflow or underflow") {
  const Tensor pattern = from({-2.0f, -1.0f, 1.0f, 2.0f, 3.0f, -3.0f, 0.0f, 0.5f, 1.5f, 2.0f, -1.0f, 0.25f}, {3, 4});
  const Tensor slopes = from({1.0f, -2.0f, 0.5f, 3.0f, -1.0f, 1.0f, 0.25f, 2.0f, 0.5f, 1.5f, -3.0f, 1.0f}, {3, 4});
  const Tensor weight = from({1.0f, 2.0f, 0.5f, 1.0f}, {4}), bias = from({0.0f, 1.0f, 0.0f, -1.0f}, {4});
  const auto check = [&](auto norm) {
    const auto run = [&](float scale) {
      const Tensor x = scale * pattern;
      Tape tape;
      tape.watch(x);
      const Tensor y = norm(x);
      tape.backward(sum(y * slopes));
      return std::pair(y, scale * tape.gradient(x));  // which does not depend on the scale
    };
    const auto [y, dx] = run(1.0f);
    for (const float scale : {1e-25f, 1e10f, 1e18f, 1e19f, 1e25f, 1e30f, 1e36f}) {
      CAPTURE(scale);
      const auto [scaled_y, scaled_dx] = run(scale);
      CHECK(difference(scaled_y, y) < 1e-6);
      CHECK(difference(scaled_dx, dx) < 2e-6);
    }
  };
  check([&](const Tensor& x) { return layer_norm(x, weight, bias, {.eps = 0.0f}); });
  check([&](const Tensor& x) { return rms_norm(x, weight, {.eps = 0.0f}); });
  check([&](const Tensor& x) { return batch_norm(x, weight, bias, zeros({4}), ones({4}), {.eps = 0.0f}); });
  CHECK(std::abs(at(layer_norm(from({-1e19f, 1e19f}, {2}), ones({2}), zeros({2})), 1) - 1.0f) < 1e-6f);
  CHECK(std::abs(at(rms_norm(full({2}, 1e20f), ones({2})), 0) - 1.0f) < 1e-6f);
}

TEST_CASE("a class of probability 0 may have a logit of -inf") {
  const Tensor logits = from({-infinity, 1.0f, 2.0f}, {1, 3}), labels = from({0.0f, 1.0f, 0.0f}, {1, 3});
  Tape tape;
  tape.watch(logits);
  const Tensor soft = cross_entropy(logits, labels), hard = cross_entropy(logits, indices({1}));
  CHECK(soft.item() == doctest::Approx(1.3132616).epsilon(1e-7));
  CHECK(soft.item() == hard.item());
  tape.backward(soft);
  CHECK(at(tape.gradient(logits), 0) == 0.0f);
  CHECK(at(tape.gradient(logits), 1) == doctest::Approx(-0.7310586));
  CHECK(at(tape.gradient(logits), 2) == doctest::Approx(0.7310586));
}

TEST_CASE("the numbers in an ignored row have no effect") {
  const Tensor clean = from({1.0f, 2.0f, 0.5f, 0.0f}, {2, 2}), wild = from({1.0f, 2.0f, nan, infinity}, {2, 2});
  const auto run = [](const Tensor& logits) {
    Tape tape;
    tape.watch(logits);
    const Tensor loss = cross_entropy(logits, indices({1, -100}));
    tape.backward(loss);
    return std::pair(loss, tape.gradient(logits));
  };
  const auto [loss, slope] = run(clean);
  const auto [wild_loss, wild_slope] = run(wild);
  CHECK(same_bits(loss, wild_loss));
  CHECK(same_bits(slope, wild_slope));
}

TEST_CASE("keys and values that an attention mask hides have no effect, even if they are infinite or NaN") {
  manual_seed(3);
  const std::int64_t tokens = 70;  // two blocks of rows
  const Tensor q = normal({2, tokens, 8}), k = normal({2, tokens, 8}), v = normal({2, tokens, 8});
  const Tensor dy = normal({2, tokens, 8});
  Tensor mask = zeros({tokens}, Dtype::boolean), bias = zeros({tokens});
  std::ranges::fill(mask.mutable_values<bool>(), true);
  mask.mutable_data<bool>()[5] = false;
  bias.mutable_data<float>()[5] = -infinity;
  struct Results {
    Tensor y, dq, dk, dv;
  };
  const auto run = [&](const Tensor& keys, const Tensor& values, const AttentionOptions& options) {
    Tape tape;
    for (const Tensor& x : {q, keys, values}) tape.watch(x);
    const Tensor y = scaled_dot_product_attention(q, keys, values, options);
    tape.backward(sum(y * dy));
    return Results{y, tape.gradient(q), tape.gradient(keys), tape.gradient(values)};
  };
  const auto spoilt = [](const Tensor& x, std::int64_t row, float value) {
    Tensor result = x.clone();
    for (std::int64_t i = 0; i < 8; ++i) result.mutable_data<float>()[row * 8 + i] = value;
    return result;
  };
  for (const AttentionOptions& options : {AttentionOptions{.mask = mask}, AttentionOptions{.bias = bias}}) {
    const Results expected = run(k, v, options);
    for (const float value : {nan, infinity, 1e10f}) {
      CAPTURE(value);
      for (const auto& [keys, values] : {std::pair(spoilt(k, 5, value), v), std::pair(k, spoilt(v, 5, value))}) {
        const Results got = run(keys, values, options);
        CHECK(difference(got.y, expected.y) < 2e-6);
        CHECK(difference(got.dq, expected.dq) < 5e-6);
        CHECK(difference(got.dk, expected.dk) < 5e-6);
        CHECK(difference(got.dv, expected.dv) < 5e-6);
      }
    }
  }
  // With a causal mask only the last query sees the last key.
  const AttentionOptions causal{.causal = true};
  const Results expected = run(k, v, causal), got = run(k, spoilt(v, tokens - 1, nan), causal);
  const auto before_last = [](const Tensor& x) { return slice(slice(x, 0, 0, 1), 1, 0, 69); };
  CHECK(difference(before_last(got.y), before_last(expected.y)) < 2e-6);
  CHECK(std::isnan(at(got.y, (tokens - 1) * 8)));
}

TEST_CASE("a query that sees no key is an error that names it, or gives 0 if requested") {
  Tensor mask = zeros({2, 1, 3, 4}, Dtype::boolean);
  std::ranges::fill(mask.mutable_values<bool>(), true);
  for (std::int64_t i = 0; i < 4; ++i) mask.mutable_data<bool>()[(1 * 3 + 2) * 4 + i] = false;
  const Tensor q = ones({2, 3, 3, 8}), k = ones({2, 3, 4, 8});
  CHECK_THROWS_WITH_AS(scaled_dot_product_attention(q, k, k, {.mask = mask}),
                       "scaled_dot_product_attention: query [1, 0, 2] of [2, 3, 3] sees no key; with empty_rows = "
                       "EmptyRows::zero its result is 0",
                       ValueError);
  Tape tape;
  tape.watch(q);
  const Tensor y = scaled_dot_product_attention(q, k, k, {.mask = mask, .empty_rows = EmptyRows::zero});
  tape.backward(sum(y * y));
  CHECK(finite(tape.gradient(q)));
  for (std::int64_t i = 0; i < y.numel(); ++i) {
    const bool hidden = i / (3 * 3 * 8) == 1 && i / 8 % 3 == 2;
    CHECK(at(y, i) == (hidden ? 0.0f : 1.0f));
  }
}

TEST_CASE("means of large windows are accurate") {
  const Tensor image = full({1, 1024, 1024, 3}, 0.1f);
  const auto exact = [](const Tensor& mean) {
    return std::abs(static_cast<double>(at(mean, 0)) / static_cast<double>(0.1f) - 1.0) < 1e-6;
  };
  CHECK(exact(avg_pool2d(image, {.kernel = 1024})));
  CHECK(exact(adaptive_avg_pool2d(image, {1, 1})));
  CHECK(exact(global_avg_pool2d(image)));
  // The gradient of a pixel that is in many windows is a long sum too.
  const Tensor small = ones({1, 1, 1, 3});
  Tape tape;
  tape.watch(small);
  tape.backward(sum(0.1f * adaptive_avg_pool2d(small, {1000, 1000})));
  CHECK(std::abs(at(tape.gradient(small), 0) / 100000.0f - 1.0f) < 1e-6f);
}

TEST_CASE("norms of bf16 parameters and of bf16 results have gradients") {
  Parameter weight(to(normal({4, 8}), Dtype::bf16), Role::weight);
  const Tensor gain = ones({8}), slopes = normal({4, 8});
  for (const bool centered : {true, false}) {
    weight.discard_gradient();
    Tape tape;
    const auto norm = [&](const Tensor& x) { return centered ? layer_norm(x, gain, zeros({8})) : rms_norm(x, gain); };
    tape.backward(sum(to(norm(weight), Dtype::f32) * slopes));
    CHECK(weight.gradient().dtype() == Dtype::f32);
    const Tensor wide = to(weight.value(), Dtype::f32);
    Tape expected;
    expected.watch(wide);
    expected.backward(sum(norm(wide) * slopes));
    CHECK(difference(weight.gradient(), expected.gradient(wide)) < 2e-2);
  }
}

TEST_CASE("an embedding in bf16 accumulates the gradients of repeated rows in f32") {
  const Tensor table = to(zeros({1, 1}), Dtype::bf16);
  Tape tape;
  tape.watch(table);
  Tensor factors = full({401, 1}, 0.00390625f);
  factors.mutable_data<float>()[0] = 1.0f;
  tape.backward(sum(to(embedding(zeros({401}, Dtype::i64), table) * to(factors, Dtype::bf16), Dtype::f32)));
  CHECK(at(tape.gradient(table), 0) == 2.5625f);
}

TEST_CASE("uniform never returns its upper bound, and accepts the widest range") {
  manual_seed(1);
  for (const auto& [low, high] : {std::pair(1000.0f, 1001.0f), {1.0f, 2.0f}, {-3e38f, 3e38f}, {0.0f, 1e-45f}}) {
    const Tensor x = uniform({4'000'000}, low, high);
    const auto [least, largest] = std::ranges::minmax(x.values<float>());
    CAPTURE(high);
    CHECK(least >= low);
    CHECK(largest < high);
    CHECK(std::isfinite(largest));
  }
  CHECK(at(uniform({1}, 2.0f, 2.0f), 0) == 2.0f);
  CHECK_THROWS_WITH_AS(uniform({1}, 0.0f, infinity), "uniform: from 0 to inf, expected finite numbers with low <= high",
                       ValueError);
}

}  // namespace temper::test
