// Properties of dropout, whose random results cannot be compared with recorded ones.

#include <temper/autograd/ops.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>

#include "tests/larger.hpp"

using namespace temper;

namespace {

/// A sum whose gradient is `dy`.
Tensor weighted_sum(const Tensor& y, const Tensor& dy) {
  return record("weighted sum", scalar(0), {y},
                [dy](const Tensor&, Gradients& gradients) { gradients.give(0, dy.clone()); });
}

bool equal_bits(const Tensor& a, const Tensor& b) { return std::ranges::equal(a.values<float>(), b.values<float>()); }

}  // namespace

TEST_CASE("dropout keeps an element divided by 1 - p, or drops it, and its gradient likewise") {
  for (const double p : {0.1, 0.5, 0.9}) {
    for (const std::int64_t size : {0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 10007}) {
      CAPTURE(p);
      CAPTURE(size);
      manual_seed(7);
      const Tensor x = uniform({size}, 1, 2), dy = uniform({size}, 1, 2);
      Tape tape;
      tape.watch(x);
      const Tensor y = dropout(x, p);
      tape.backward(weighted_sum(y, dy));
      const Tensor dx = tape.gradient(x);

      std::int64_t dropped = 0, wrong = 0;
      for (std::int64_t i = 0; i < size; ++i) {
        const bool zero = y.data<float>()[i] == 0;
        dropped += zero;
        const auto wanted = [&](const Tensor& source) { return zero ? 0.0 : source.data<float>()[i] / (1 - p); };
        wrong += !(std::abs(y.data<float>()[i] - wanted(x)) <= 1e-6 * wanted(x));
        wrong += !(std::abs(dx.data<float>()[i] - wanted(dy)) <= 1e-6 * wanted(dy));
      }
      CHECK(wrong == 0);
      // Within five standard deviations of the binomial distribution.
      const double n = static_cast<double>(size);
      CHECK(std::abs(static_cast<double>(dropped) - n * p) <= 5 * std::sqrt(n * p * (1 - p)) + 1);
    }
  }
}

TEST_CASE("a dropout mask depends only on the seed, the number of the tape and the number of the call") {
  const Tensor x = ones({1000});
  const auto first_calls = [&](std::uint64_t seed) {
    manual_seed(seed);
    Tape tape;
    return std::pair(dropout(x, 0.5), dropout(x, 0.5));
  };
  const auto [one, two] = first_calls(1);
  const auto [one_again, two_again] = first_calls(1);
  CHECK(equal_bits(one, one_again));
  CHECK(equal_bits(two, two_again));
  CHECK_FALSE(equal_bits(one, two));
  CHECK_FALSE(equal_bits(one, first_calls(2).first));
  first_calls(1);
  Tape next;
  CHECK_FALSE(equal_bits(dropout(x, 0.5), one));
}

TEST_CASE("dropout does nothing unless training") {
  const Tensor x = ones({100});
  CHECK(equal_bits(dropout(x, 0.5), x));
  Tape tape(Mode::evaluate);
  CHECK(equal_bits(dropout(x, 0.5), x));
}

namespace {

/// softmax(scale q k^T) v with a mask of factors, composed of other operations.
Tensor attention_with(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& factors) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(q.size(-1)));
  return matmul(softmax(matmul(q, transpose(k, -1, -2)) * scale) * factors, v);
}

struct AttentionRun {
  Tensor y;
  std::vector<Tensor> gradients;
};
template <class Function>
AttentionRun run_attention(const std::vector<Tensor>& in, const Tensor& dy, const Function& function) {
  manual_seed(5);
  Tape tape;
  for (const Tensor& x : in) tape.watch(x);
  AttentionRun run{function(in), {}};
  tape.backward(sum(run.y * dy));
  for (const Tensor& x : in) run.gradients.push_back(tape.gradient(x));
  return run;
}

void check_close(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  float largest = 1, off = 0;  // the terms are of order 1, even if they cancel
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    largest = temper_test::larger(largest, std::abs(b.data<float>()[i]));
    off = temper_test::larger(off, std::abs(a.data<float>()[i] - b.data<float>()[i]));
  }
  CHECK(off <= 2e-6f * largest);
}

}  // namespace

TEST_CASE("attention drops probabilities, and its gradient the same ones") {
  const double p = 0.3;
  for (const std::int64_t tokens : {1, 5, 64, 70, 130}) {  // one block of rows, and several
    CAPTURE(tokens);
    manual_seed(3);
    const std::int64_t matrices = 6, width = 4;
    const Tensor q = normal({matrices, tokens, width}), k = normal({matrices, tokens, width});
    const Tensor v = normal({matrices, tokens, width}), dy = normal({matrices, tokens, width});
    // With the identity as values, the result is the matrix of attention weights, which shows the mask.
    Tensor identity = zeros({matrices, tokens, tokens});
    for (std::int64_t i = 0; i < matrices * tokens; ++i) {
      identity.mutable_data<float>()[i * tokens + i % tokens] = 1.0f;
    }
    const auto dropped = [&](double share) {
      return [share](const std::vector<Tensor>& in) {
        return scaled_dot_product_attention(in[0], in[1], in[2], {.dropout = share});
      };
    };
    const Tensor whole = scaled_dot_product_attention(q, k, identity);
    const Tensor shown = run_attention({q, k, identity}, ones(whole.shape()), dropped(p)).y;
    Tensor factors = empty(whole.shape());
    std::int64_t zeros_seen = 0, wrong = 0;
    for (std::int64_t i = 0; i < whole.numel(); ++i) {
      const float y = shown.data<float>()[i], of = whole.data<float>()[i];
      zeros_seen += y == 0;
      wrong += y != 0 && !(std::abs(y * (1 - p) - of) <= 1e-5 * of);
      factors.mutable_data<float>()[i] = y == 0 ? 0.0f : static_cast<float>(1 / (1 - p));
    }
    CHECK(wrong == 0);
    const auto n = static_cast<double>(whole.numel());
    CHECK(std::abs(static_cast<double>(zeros_seen) - n * p) <= 5 * std::sqrt(n * p * (1 - p)) + 1);

    const AttentionRun run = run_attention({q, k, v}, dy, dropped(p));
    const AttentionRun expected = run_attention(
        {q, k, v}, dy, [&](const std::vector<Tensor>& in) { return attention_with(in[0], in[1], in[2], factors); });
    check_close(run.y, expected.y);
    for (std::size_t i = 0; i < 3; ++i) check_close(run.gradients[i], expected.gradients[i]);

    // self_attention() has the same mask, and causal attention drops only visible keys.
    const Tensor packed = normal({2, tokens, 3 * 3 * width}), dpacked = normal({2, tokens, 3 * width});
    const auto part = [&](const Tensor& x, std::int64_t i) {
      const Tensor qkv = permute(reshape(x, {2, tokens, 3, 3, width}), {2, 0, 3, 1, 4});
      return reshape(slice(qkv, 0, i, i + 1), {2, 3, tokens, width});
    };
    const AttentionOptions options{.causal = true, .dropout = p};
    const AttentionRun one = run_attention(
        {packed}, dpacked, [&](const std::vector<Tensor>& in) { return self_attention(in[0], 3, options); });
    const AttentionRun apart = run_attention({packed}, dpacked, [&](const std::vector<Tensor>& in) {
      const Tensor y = scaled_dot_product_attention(part(in[0], 0), part(in[0], 1), part(in[0], 2), options);
      return flatten(permute(y, {0, 2, 1, 3}), 2);
    });
    check_close(one.y, apart.y);
    check_close(one.gradients[0], apart.gradients[0]);
  }
}

TEST_CASE("attention drops nothing unless training, and throws for a rate outside [0, 1)") {
  const Tensor x = normal({2, 3, 4});
  CHECK(equal_bits(scaled_dot_product_attention(x, x, x, {.dropout = 0.5}), scaled_dot_product_attention(x, x, x)));
  CHECK_THROWS_WITH_AS(scaled_dot_product_attention(x, x, x, {.dropout = 1.0}),
                       "scaled_dot_product_attention: dropout is 1, expected from 0 to below 1", ValueError);
  CHECK_THROWS_WITH_AS(self_attention(normal({2, 3, 12}), 2, {.dropout = -0.1}),
                       "self_attention: dropout is -0.1, expected from 0 to below 1", ValueError);
}
