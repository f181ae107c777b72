#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include <temper/models/gpt/gpt.hpp>
#include <temper/models/language/generate.hpp>
#include <temper/temper.hpp>

using namespace temper;
using models::generate;
using models::Gpt;
using models::GptConfig;
using models::sample;

namespace {

using Text = std::vector<std::int64_t>;

constexpr GptConfig tiny = {
    .vocabulary = 13, .context = 9, .layers = 2, .heads = 2, .width = 16, .init_deviation = 0.4};

/// The most likely token after a text, computed without a cache from the last `window` tokens.
std::int64_t likeliest(const Gpt& model, const Text& text, std::size_t window) {
  const std::span<const std::int64_t> seen = std::span(text).last(std::min(window, text.size()));
  const Tensor logits = model(from(seen, {1, static_cast<std::int64_t>(seen.size())}));
  return static_cast<const std::int64_t*>(argmax(slice(logits, 1, -1, logits.size(1))).data<std::int64_t>())[0];
}

/// How often each token is sampled with 1000 evenly spaced chances.
std::map<std::int64_t, int> drawn(std::span<const float> logits, const models::SampleOptions& options) {
  std::map<std::int64_t, int> counts;
  for (int i = 0; i < 1000; ++i) ++counts[sample(logits, options, (i + 0.5) / 1000)];
  return counts;
}

}  // namespace

TEST_CASE("tokens are sampled by their probability, with temperature, top-k and top-p") {
  using Counts = std::map<std::int64_t, int>;
  // Probabilities 0.1, 0.4, 0.2, 0.3.
  const std::array<float, 4> logits = {std::log(0.1f), std::log(0.4f), std::log(0.2f), std::log(0.3f)};
  CHECK(drawn(logits, {}) == Counts{{0, 100}, {1, 400}, {2, 200}, {3, 300}});
  CHECK(drawn(logits, {.temperature = 0.0}) == Counts{{1, 1000}});
  // Temperature 0.5 squares the probabilities; the squares sum to 0.30.
  CHECK(drawn(logits, {.temperature = 0.5}) == Counts{{0, 33}, {1, 534}, {2, 133}, {3, 300}});
  CHECK(drawn(logits, {.top_k = 1}) == Counts{{1, 1000}});
  CHECK(drawn(logits, {.top_k = 2}) == Counts{{1, 571}, {3, 429}});
  CHECK(drawn(logits, {.top_k = 4}) == drawn(logits, {}));
  CHECK(drawn(logits, {.top_k = 9}) == drawn(logits, {}));
  CHECK(drawn(logits, {.top_p = 0.01}) == Counts{{1, 1000}});
  CHECK(drawn(logits, {.top_p = 0.39}) == Counts{{1, 1000}});
  CHECK(drawn(logits, {.top_p = 0.65}) == Counts{{1, 571}, {3, 429}});
  CHECK(drawn(logits, {.top_p = 0.75}) == Counts{{1, 444}, {3, 334}, {2, 222}});
  // top_p applies to the tokens that top_k keeps: 4/7 and 3/7.
  CHECK(drawn(logits, {.top_k = 2, .top_p = 0.5}) == Counts{{1, 1000}});
  // Equally likely tokens are in the order of their ids; a token of probability 0 is never sampled.
  const float never = -std::numeric_limits<float>::infinity();
  const std::array<float, 4> equal = {never, 1.0f, 1.0f, never};
  CHECK(drawn(equal, {.temperature = 0.0}) == Counts{{1, 1000}});
  CHECK(drawn(equal, {.top_k = 1}) == Counts{{1, 1000}});
  CHECK(drawn(equal, {}) == Counts{{1, 500}, {2, 500}});
  CHECK(sample(equal, {}, 0.0) == 1);
  CHECK(sample(equal, {}, std::nextafter(1.0, 0.0)) == 2);
}

TEST_CASE("sampling throws for invalid arguments") {
  const std::array<float, 2> logits = {0.0f, 1.0f};
  CHECK_THROWS_WITH_AS(sample(logits, {.temperature = -1.0}, 0.5), "sample: temperature -1, expected 0 or more",
                       ValueError);
  CHECK_THROWS_WITH_AS(sample(logits, {.top_k = -1}, 0.5), "sample: top_k -1, expected 0 (all) or more", ValueError);
  CHECK_THROWS_WITH_AS(sample(logits, {.top_p = 0.0}, 0.5), "sample: top_p 0, expected above 0 up to 1", ValueError);
  CHECK_THROWS_WITH_AS(sample(logits, {.top_p = 1.5}, 0.5), "sample: top_p 1.5, expected above 0 up to 1", ValueError);
  CHECK_THROWS_WITH_AS(sample({}, {}, 0.5), "sample: no logits", ValueError);
  const std::array<float, 2> bad = {0.0f, std::numeric_limits<float>::quiet_NaN()};
  CHECK_THROWS_WITH_AS(sample(bad, {}, 0.5), "sample: the logit of token 1 is NaN", ValueError);
  const float never = -std::numeric_limits<float>::infinity();
  const std::array<float, 2> none = {never, never};
  CHECK_THROWS_WITH_AS(sample(none, {}, 0.5), "sample: the largest of the logits is -inf", ValueError);

  const Gpt model(tiny);
  CHECK_THROWS_WITH_AS(generate(model, Text{}), "generate: an empty prompt, expected at least one token", ValueError);
  CHECK_THROWS_WITH_AS(generate(model, Text{1, 13}), "generate: token 13 of the prompt is outside the vocabulary of 13",
                       ValueError);
  CHECK_THROWS_WITH_AS(generate(model, Text{1}, {.tokens = -1}), "generate: -1 tokens, expected 0 or more", ValueError);
  CHECK_THROWS_AS(generate(model, Text{1}, {.sample = {.top_p = 2.0}}), ValueError);
}

TEST_CASE("greedy generation takes the most likely token each time, also beyond the context") {
  manual_seed(3);
  const Gpt model(tiny);
  for (const Text& prompt : {Text{4}, Text{1, 2, 3, 4, 5, 6, 7, 8, 9}, Text{5, 3, 1, 0, 2, 4, 6, 8, 10, 12, 11}}) {
    CAPTURE(prompt.size());
    Text text = prompt;
    std::size_t window = std::min<std::size_t>(text.size(), 9);
    for (int i = 0; i < 25; ++i) {
      text.push_back(likeliest(model, text, window));
      if (++window > 9) window = 5;  // continues from the last half of the context
    }
    const Text expected(text.begin() + static_cast<std::ptrdiff_t>(prompt.size()), text.end());
    const Text found = generate(model, prompt, {.tokens = 25, .sample = {.temperature = 0.0}});
    CHECK(found == expected);
    CHECK(generate(model, prompt, {.tokens = 25, .sample = {.temperature = 0.0}, .seed = 77}) == expected);
  }
}

TEST_CASE("a generated text depends on its seed only") {
  manual_seed(3);
  const Gpt model(tiny);
  const Text prompt = {1, 2};
  const Text first = generate(model, prompt, {.tokens = 40, .seed = 1});
  CHECK(first.size() == 40);
  CHECK(generate(model, prompt, {.tokens = 40, .seed = 1}) == first);
  CHECK(generate(model, prompt, {.tokens = 40, .seed = 2}) != first);
  // It does not depend on the number of tokens.
  CHECK(generate(model, prompt, {.tokens = 10, .seed = 1}) == Text(first.begin(), first.begin() + 10));
  // Without a seed, texts differ: each draws from the program's generator.
  manual_seed(8);
  const Text one = generate(model, prompt, {.tokens = 40}), two = generate(model, prompt, {.tokens = 40});
  CHECK(one != two);
  manual_seed(8);
  CHECK(generate(model, prompt, {.tokens = 40}) == one);
}

TEST_CASE("generation ends at the stop token, and calls on_token for each token") {
  manual_seed(3);
  const Gpt model(tiny);
  Text told;
  const models::GenerateOptions options = {
      .tokens = 60, .seed = 1, .on_token = [&](std::int64_t token) { told.push_back(token); }};
  const Text whole = generate(model, Text{1}, options);
  CHECK(told == whole);
  const std::int64_t stop = whole[20];
  const auto at = std::find(whole.begin(), whole.end(), stop);
  const Text stopped = generate(model, Text{1}, {.tokens = 60, .seed = 1, .stop = stop});
  CHECK(stopped == Text(whole.begin(), at + 1));
  CHECK(generate(model, Text{1}, {.tokens = 0}).empty());
}
