#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <temper/models/language/cache.hpp>
#include <temper/models/gpt/gpt.hpp>
#include <temper/temper.hpp>

#include "tests/larger.hpp"
#include "tests/models/directional.hpp"
#include "tests/optim/near_internal.hpp"

using namespace temper;
using models::Gpt;
using models::GptConfig;
using models::KeyValueCache;

namespace {

constexpr GptConfig tiny = {.vocabulary = 23, .context = 12, .layers = 2, .heads = 3, .width = 24};

/// Random tokens [rows, length].
Tensor some_tokens(std::int64_t rows, std::int64_t length, std::uint64_t seed = 1) {
  const detail::RandomStream random(seed, detail::RandomUse::draw, 0);
  Tensor tokens = empty({rows, length}, Dtype::i64);
  std::uint64_t i = 0;
  for (std::int64_t& token : tokens.mutable_values<std::int64_t>()) {
    token = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(tiny.vocabulary), i++));
  }
  return tokens;
}

/// Sets wider weights than the initial ones, with which attention is nearly uniform and would hide mistakes.
Gpt widened(GptConfig config = tiny) {
  manual_seed(5);
  config.init_deviation = 0.3;
  return Gpt(config);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  double largest = 0;
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    const double difference = static_cast<double>(a.data<float>()[i]) - static_cast<double>(b.data<float>()[i]);
    largest = temper_test::larger(largest, std::abs(difference));
  }
  return largest;
}

}  // namespace

TEST_CASE("a GPT makes logits of tokens, of any length up to its context") {
  const Gpt model = widened();
  CHECK(model(some_tokens(3, 12)).shape() == Shape{3, 12, 23});
  CHECK(model(some_tokens(1, 1)).shape() == Shape{1, 1, 23});
  // The logits of the first tokens do not depend on those that follow.
  const Tensor whole = model(some_tokens(1, 12)), part = model(some_tokens(1, 7));
  CHECK(largest_difference(part, slice(whole, 1, 0, 7)) <= 1e-5);
}

TEST_CASE("the sizes of GPT-2 have as many parameters as published") {
  const auto count = [](const GptConfig& c) {
    const std::int64_t block = 12 * c.width * c.width + 13 * c.width;
    return (c.vocabulary + c.context) * c.width + c.layers * block + 2 * c.width;
  };
  CHECK(count(models::gpt2_124m()) == 124439808);
  CHECK(count(models::gpt2_355m()) == 354823168);
  CHECK(count(models::gpt2_774m()) == 774030080);
  CHECK(count(models::gpt2_1558m()) == 1557611200);
  // The model has the number of parameters that the formula gives.
  std::int64_t parameters = 0;
  for (const Parameter& parameter : Gpt(tiny).parameters()) parameters += parameter.shape().numel();
  CHECK(parameters == count(tiny));
}

TEST_CASE("the head is the token embedding, one parameter, unless told otherwise") {
  const auto named = [](const Gpt& model, const std::string& name) {
    return std::ranges::count_if(model.parameters(), [&](const Parameter& p) { return p.name() == name; });
  };
  const Gpt tied(tiny);
  CHECK(tied.parameters().size() == 2 + 12 * 2 + 2);
  CHECK(named(tied, "token_embedding.weight") == 1);
  CHECK(named(tied, "head.weight") == 0);
  GptConfig config = tiny;
  config.tied = false;
  const Gpt untied(config);
  CHECK(untied.parameters().size() == tied.parameters().size() + 1);
  CHECK(named(untied, "head.weight") == 1);

  // A tied embedding's gradient has the parts of both uses: rows of tokens that do not occur get theirs from the head.
  const auto rows_with_gradient = [](const Gpt& model) {
    Tape tape;
    tape.backward(cross_entropy(model(some_tokens(1, 4)), some_tokens(1, 4, 2)));
    const Tensor gradient = model.token_embedding.weight.gradient();
    std::int64_t rows = 0;
    for (std::int64_t row = 0; row < gradient.size(0); ++row) {
      const auto values = gradient.rows(row, row + 1);
      rows += std::ranges::any_of(values.values<float>(), [](float x) { return x != 0.0f; }) ? 1 : 0;
    }
    return rows;
  };
  CHECK(rows_with_gradient(tied) == tiny.vocabulary);
  CHECK(rows_with_gradient(untied) <= 4);
}

TEST_CASE("a GPT is initialized like GPT-2") {
  manual_seed(1);
  const Gpt model({.vocabulary = 64, .context = 32, .layers = 8, .heads = 2, .width = 64});
  const auto deviation = [](const Tensor& x) {
    double squares = 0;
    for (const float value : x.values<float>()) squares += static_cast<double>(value) * static_cast<double>(value);
    return std::sqrt(squares / static_cast<double>(x.numel()));
  };
  CHECK(deviation(model.token_embedding.weight) == near(0.02, 0.05));
  CHECK(deviation(model.position_embedding.weight) == near(0.02, 0.05));
  for (const models::GptBlock& block : model.blocks) {
    CHECK(deviation(block.attention.in_proj_weight) == near(0.02, 0.05));
    CHECK(deviation(block.attention.out_proj.weight) == near(0.005, 0.05));
    CHECK(deviation(block.up.weight) == near(0.02, 0.05));
    CHECK(deviation(block.down.weight) == near(0.005, 0.05));
  }
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.role() == Role::bias) CHECK(deviation(parameter) == 0.0);
    if (parameter.role() == Role::norm_gain) CHECK(deviation(parameter) == 1.0);
  }
}

TEST_CASE("later tokens do not change the logits of earlier ones") {
  const Gpt model = widened();
  const Tensor before = some_tokens(1, 12);
  const Tensor logits = model(before);
  for (const std::int64_t changed : {1, 6, 11}) {
    CAPTURE(changed);
    Tensor after = before.clone();
    std::int64_t& token = after.mutable_data<std::int64_t>()[changed];
    token = (token + 1) % tiny.vocabulary;
    const Tensor other = model(after);
    CHECK(largest_difference(slice(logits, 1, 0, changed), slice(other, 1, 0, changed)) == 0.0);
    for (std::int64_t t = changed; t < 12; ++t) {
      CHECK(largest_difference(slice(logits, 1, t, t + 1), slice(other, 1, t, t + 1)) > 1e-3);
    }
  }
}

TEST_CASE("the examples of a batch do not affect each other") {
  const Gpt model = widened();
  const Tensor batch = some_tokens(4, 12);
  const Tensor logits = model(batch);
  for (std::int64_t i = 0; i < 4; ++i) {
    CHECK(largest_difference(model(batch.rows(i, i + 1)), logits.rows(i, i + 1)) <= 1e-5);
  }
}

TEST_CASE("without dropout, a tape does not change a GPT's logits; dropout acts in training only") {
  const Tensor tokens = some_tokens(2, 12);
  const Gpt plain = widened();
  const Tensor unrecorded = plain(tokens);
  {
    const Tape tape;
    CHECK(largest_difference(plain(tokens), unrecorded) == 0.0);
  }
  GptConfig config = tiny;
  config.dropout = 0.2;
  const Gpt dropping = widened(config);
  CHECK(largest_difference(dropping(tokens), unrecorded) == 0.0);
  {
    const Tape evaluating(Mode::evaluate);
    CHECK(largest_difference(dropping(tokens), unrecorded) == 0.0);
  }
  const Tape training;
  const Tensor first = dropping(tokens);
  CHECK(largest_difference(first, unrecorded) > 0.01);
  CHECK(largest_difference(first, dropping(tokens)) > 0.01);
}

TEST_CASE("a GPT's gradient agrees with directional differences") {
  const Gpt model = widened();
  const Tensor tokens = some_tokens(24, 12), targets = some_tokens(24, 12, 2);
  test::check_directional(model.parameters(),
                          [&] { return cross_entropy(model(tokens), targets, {.reduction = Reduction::none}); });
}

TEST_CASE("a GPT can overfit a batch") {
  manual_seed(1);
  const Gpt model(tiny);
  Tensor tokens = some_tokens(4, 12);
  const Tensor targets = some_tokens(4, 12, 2);
  // All texts begin with different tokens, so that the following ones can be predicted.
  for (std::int64_t row = 0; row < 4; ++row) tokens.mutable_data<std::int64_t>()[row * 12] = row;
  optim::AdamW adamw(model.parameters(), {.lr = 1e-2, .weight_decay = 0.0});
  double first = 0, loss = 0;
  for (int step = 0; step < 300; ++step) {
    Tape tape;
    const Tensor mean_loss = cross_entropy(model(tokens), targets);
    tape.backward(mean_loss);
    adamw.step();
    loss = mean_loss.item();
    if (step == 0) first = loss;
  }
  CHECK(first == doctest::Approx(std::log(23.0)).epsilon(0.02));
  CHECK(loss < 0.01);
}

TEST_CASE("logits with a cache are those without, in pieces of any size") {
  const Gpt model = widened();
  const Tensor text = some_tokens(1, 12);
  const Tensor expected = model(text).view({12, 23});
  KeyValueCache cache(model.cache_sizes());
  for (const std::vector<std::int64_t>& pieces : {std::vector<std::int64_t>(12, 1), {12}, {5, 1, 1, 4, 1}, {1, 11}}) {
    cache.clear();
    std::int64_t begin = 0;
    for (const std::int64_t count : pieces) {
      CAPTURE(begin);
      const Tensor logits = model(text.view({12}).rows(begin, begin + count), cache);
      CHECK(largest_difference(logits, expected.rows(begin, begin + count)) <= 2e-5);
      begin += count;
      CHECK(cache.size() == begin);
    }
  }
}

TEST_CASE("a call with a cache records nothing and has no dropout") {
  GptConfig config = tiny;
  config.dropout = 0.5;
  const Gpt model = widened(config);
  const Tensor tokens = some_tokens(1, 12);
  const Tensor expected = model(tokens).view({12, 23});
  const Tape tape;
  KeyValueCache cache(model.cache_sizes());
  CHECK(largest_difference(model(tokens.view({12}), cache), expected) <= 2e-5);
  CHECK(tape.size() == 0);
}

TEST_CASE("a GPT throws for invalid sizes and inputs") {
  const auto with = [](auto change) {
    GptConfig config = tiny;
    change(config);
    return config;
  };
  CHECK_THROWS_WITH_AS(Gpt(with([](GptConfig& c) { c.layers = 0; })),
                       "Gpt: vocabulary 23, context 12, layers 0, heads 3, width 24, expected at least 1 of each",
                       ValueError);
  CHECK_THROWS_WITH_AS(Gpt(with([](GptConfig& c) { c.heads = 5; })), "Gpt: width 24 in 5 heads, expected a multiple",
                       ValueError);
  CHECK_THROWS_WITH_AS(Gpt(with([](GptConfig& c) { c.dropout = 1.0; })), "Gpt: dropout 1, expected from 0 to below 1",
                       ValueError);
  CHECK_THROWS_WITH_AS(Gpt(with([](GptConfig& c) { c.init_deviation = 0.0; })),
                       "Gpt: init_deviation 0, expected above 0", ValueError);

  const Gpt model(tiny);
  CHECK_THROWS_WITH_AS(model(some_tokens(1, 13)), "Gpt: tokens i64 [1, 13], expected i64 [B, T] with T from 1 to 12",
                       ShapeError);
  CHECK_THROWS_WITH_AS(model(zeros({1, 4})), "Gpt: tokens f32 [1, 4], expected i64 [B, T] with T from 1 to 12",
                       ShapeError);
  CHECK_THROWS_WITH_AS(model(some_tokens(1, 4).view({4})),
                       "Gpt: tokens i64 [4], expected i64 [B, T] with T from 1 to 12", ShapeError);
  CHECK_THROWS_AS(model(some_tokens(1, 0)), ShapeError);
  CHECK_THROWS_WITH_AS(model(indices({3, 23}).view({1, 2})),
                       "embedding: id 23 at place 1 is outside the 23 rows of weight [23, 24]", ValueError);

  KeyValueCache cache(model.cache_sizes());
  const Tensor tokens = some_tokens(1, 12).view({12});
  model(tokens.rows(0, 10), cache);
  CHECK_THROWS_WITH_AS(model(tokens.rows(0, 3), cache), "Gpt: tokens i64 [3], expected i64 [T] with T from 1 to 2",
                       ShapeError);
  CHECK(cache.size() == 10);
  KeyValueCache other(Gpt(with([](GptConfig& c) { c.layers = 3; })).cache_sizes());
  CHECK_THROWS_WITH_AS(model(tokens, other),
                       "Gpt: a cache for 3 layers of 3 heads of 8 features, context 12; the model has 2, 3, 8, 12",
                       ValueError);
}
