#include <temper/models/word2vec/word2vec.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <temper/models/word2vec/pairs.hpp>
#include <temper/temper.hpp>

using namespace temper;
using namespace temper::models;

namespace {

constexpr data::Epoch first{.seed = 5, .number = 1}, second{.seed = 5, .number = 2};

std::vector<std::int64_t> numbers(const Tensor& x) {
  const auto values = x.values<std::int64_t>();
  return {values.begin(), values.end()};
}

std::int64_t number(const Tensor& x) { return numbers(x).front(); }

/// Words 0, 1, 2, ... in turn, each as often.
std::vector<std::int64_t> in_turn(std::int64_t length, std::int64_t words) {
  std::vector<std::int64_t> text;
  for (std::int64_t i = 0; i < length; ++i) text.push_back(i % words);
  return text;
}

}  // namespace

TEST_CASE("words of a text") {
  CHECK(words_of("In the beginning God's 2 \"sons'\" WENT,\nna\xc3\xafve 'tis") ==
        std::vector<std::string>{"in", "the", "beginning", "god's", "sons", "went", "na\xc3\xafve", "tis"});
  CHECK(words_of("").empty());
  const std::vector<std::string> text = words_of("a b a c a b d");
  const Words words(text, 2);
  CHECK(words.size() == 2);
  CHECK(words.name(0) == "a");
  CHECK(words.counts() == std::vector<std::int64_t>{3, 2});
  CHECK(words.find("b") == 1);
  CHECK(words.find("c") == -1);
  CHECK(words.encode(text) == std::vector<std::int64_t>{0, 1, 0, 0, 1});
  CHECK_THROWS_WITH_AS(Words(text, 4), "Words: no word occurs 4 times in a text of 7 words", ValueError);
}

TEST_CASE("words are saved and loaded, and damaged files are errors") {
  const auto file = std::filesystem::temp_directory_path() / "temper_words.txt";
  const Words words(words_of("b a b c c c"), 1);
  words.save(file.string());
  const Words loaded = Words::load(file.string());
  CHECK(loaded.counts() == words.counts());
  for (std::int64_t i = 0; i < words.size(); ++i) CHECK(loaded.name(i) == words.name(i));
  for (const char* bad : {"", "3 c\nx b\n", "3 c\n2 c\n", "0 c\n"}) {
    std::ofstream(file) << bad;
    CHECK_THROWS_AS(Words::load(file.string()), FileError);
  }
  std::filesystem::remove(file);
  CHECK_THROWS_AS(Words::load(file.string()), FileError);
}

TEST_CASE("pairs: within the window, nearer ones more often, the same whenever they are asked for") {
  const Pairs pairs(in_turn(3000, 100), std::vector<std::int64_t>(100, 30),
                    {.window = 3, .negatives = 4, .subsample = 0});
  CHECK(pairs.size() == 3000);
  std::map<std::int64_t, int> distances;
  for (std::int64_t i = 3; i + 3 < pairs.size(); ++i) {
    const auto [word, contexts] = pairs.get(i, first);
    REQUIRE(contexts.shape() == Shape{5});
    CHECK(number(word) == i % 100);
    const std::int64_t away = (numbers(contexts)[0] - i % 100 + 150) % 100 - 50;
    CHECK(std::abs(away) <= 3);
    CHECK(away != 0);
    ++distances[away];
  }
  // 3 : 2 : 1 on either side, of 2,994
  for (const std::int64_t away : {1, 2, 3}) {
    for (const std::int64_t sign : {-1, 1}) {
      CHECK(distances[sign * away] == doctest::Approx(2994.0 * static_cast<double>(4 - away) / 12.0).epsilon(0.15));
    }
  }
  const std::vector<std::int64_t> some{7, 2, 2999};
  const auto [words, contexts] = pairs.batch(some, first);
  for (std::size_t n = 0; n < some.size(); ++n) {
    const auto [word, own] = pairs.get(some[n], first);
    CHECK(numbers(words)[n] == number(word));
    CHECK(std::ranges::equal(
        contexts.rows(static_cast<std::int64_t>(n), static_cast<std::int64_t>(n) + 1).values<std::int64_t>(),
        own.values<std::int64_t>()));
  }
  CHECK(numbers(pairs.batch(some, second)[1]) != numbers(contexts));
}

TEST_CASE("pairs: frequent words are left out, and negatives are drawn with the 3/4th power of the counts") {
  // Word 0 is 90 % of the text, words 1 and 2 are 5 % each.
  std::vector<std::int64_t> text;
  for (std::int64_t i = 0; i < 20'000; ++i) text.push_back(i % 20 == 0 ? 1 + i / 20 % 2 : i % 20 == 10 ? 2 : 0);
  std::vector<std::int64_t> counts(3);
  for (const std::int64_t word : text) ++counts[static_cast<std::size_t>(word)];
  const Pairs pairs(text, counts, {.window = 5, .negatives = 2, .subsample = 0.01});
  std::vector<double> as_word(3), as_negative(3);
  for (std::int64_t i = 0; i < pairs.size(); ++i) {
    const auto [word, contexts] = pairs.get(i, first);
    as_word[static_cast<std::size_t>(number(word))] += 1.0;
    for (std::size_t n = 1; n < 3; ++n) as_negative[static_cast<std::size_t>(numbers(contexts)[n])] += 1.0;
  }
  double powers = 0.0;
  for (const std::int64_t count : counts) powers += std::pow(static_cast<double>(count), 0.75);
  for (std::size_t word = 0; word < 3; ++word) {
    CHECK(as_negative[word] / 40'000.0 ==
          doctest::Approx(std::pow(static_cast<double>(counts[word]), 0.75) / powers).epsilon(0.05));
  }
  CHECK(as_word[0] / 20'000.0 < 0.8);  // of 0.9
  CHECK(as_word[0] / 20'000.0 > 0.5);
}

TEST_CASE("pairs: bad options and texts") {
  CHECK_THROWS_WITH_AS(Pairs({0, 1}, {1, 1}, {.window = 0}),
                       "Pairs: window 0, negatives 5, subsample 0.001, expected at least 1, 1 and 0", ValueError);
  CHECK_THROWS_WITH_AS(Pairs({0}, {1}, {}), "Pairs: a text of 1 words, expected at least 2", ValueError);
  CHECK_THROWS_WITH_AS(Pairs({0, 2}, {1, 1}, {}), "Pairs: word 2 of the text has no count", ValueError);
  const Pairs alone({0, 0}, {1000}, {});  // a text of one word alone ends, too
  CHECK(number(alone.get(1, first)[0]) == 0);
}

TEST_CASE("word2vec: scores are products, and their loss is negative sampling's") {
  manual_seed(1);
  Word2Vec model({.vocabulary = 7, .width = 3});
  CHECK(model.words.weight.sparse());
  model.contexts.weight.set_value(normal({7, 3}));
  const Tensor ids = indices({6, 2}), contexts = reshape(indices({0, 1, 1, 5, 6, 2}), {2, 3});
  Tape tape;
  const Tensor scores = model(ids, contexts);
  REQUIRE(scores.shape() == Shape{2, 3});
  double expected = 0.0;
  for (std::int64_t i = 0; i < 2; ++i) {
    for (std::int64_t k = 0; k < 3; ++k) {
      double product = 0.0;
      for (std::int64_t d = 0; d < 3; ++d) {
        const float* const w = model.words.weight.value().data<float>() + numbers(ids)[static_cast<std::size_t>(i)] * 3;
        const float* const c =
            model.contexts.weight.value().data<float>() + numbers(contexts)[static_cast<std::size_t>(i * 3 + k)] * 3;
        product += static_cast<double>(w[d]) * static_cast<double>(c[d]);
      }
      CHECK(scores.data<float>()[i * 3 + k] == doctest::Approx(product).epsilon(1e-5));
      expected += std::log1p(std::exp(k == 0 ? -product : product)) / 2.0;
    }
  }
  const Tensor loss = negative_sampling_loss(scores);
  CHECK(loss.item() == doctest::Approx(expected).epsilon(1e-5));
  tape.backward(loss);
  CHECK(numbers(model.words.weight.row_gradient().rows) == std::vector<std::int64_t>{2, 6});
  CHECK(numbers(model.contexts.weight.row_gradient().rows) == std::vector<std::int64_t>{0, 1, 2, 5, 6});
  CHECK_THROWS_WITH_AS(model(ids, ids), "Word2Vec: words [2] and contexts [2], expected [N] and [N, K]", ShapeError);
  CHECK_THROWS_AS(negative_sampling_loss(ids), ShapeError);
}

TEST_CASE("word2vec learns which words stand together, and nearest finds them") {
  // Words 0 to 9 stand among each other, and so do 10 to 19.
  std::vector<std::int64_t> text, counts(20, 500);
  for (std::int64_t i = 0; i < 10'000; ++i) text.push_back(i / 100 % 2 * 10 + i * 7919 / 13 % 10);
  manual_seed(1);
  const Word2Vec model({.vocabulary = 20, .width = 8});
  data::Loader loader(Pairs(text, counts, {.subsample = 0}), {.batch_size = 100, .shuffle = true});
  optim::Adam adam(model.parameters(), {.lr = 0.02});
  for (const auto& [words, contexts] : loader) {
    Tape tape;
    tape.backward(negative_sampling_loss(model(words, contexts)));
    adam.step();
  }
  int right = 0;
  for (std::int64_t word = 0; word < 20; ++word) {
    for (const auto& [other, cosine] : nearest(model.words.weight, word, 5)) right += other / 10 == word / 10 ? 1 : 0;
  }
  CHECK(right >= 95);  // of 100
  const Tensor same = cosines(model.words.weight, indices({3, 4, 13}));
  CHECK(same.data<float>()[0] == doctest::Approx(1.0));
  CHECK(same.data<float>()[1] > same.data<float>()[2]);
  CHECK(nearest(model.words.weight, 3, 100).size() == 19);
  CHECK_THROWS_WITH_AS(nearest(model.words.weight, 20, 1), "nearest: word 20 is outside the 20 of the vocabulary",
                       ValueError);
}
