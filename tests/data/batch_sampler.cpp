#include <temper/data/batch_sampler.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/sentencepiece.hpp>
#include <temper/data/tokenized.hpp>

#include "tests/data/counting.hpp"

using namespace temper;
using namespace temper_test;

namespace {

using Lists = std::vector<Numbers>;

Numbers some_lengths(std::size_t count, std::int64_t most = 200) {
  std::mt19937_64 random(4);
  Numbers lengths(count);
  for (std::int64_t& length : lengths)
    length = 1 + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most));
  return lengths;
}

Lists batches_of(const data::BatchPlan& all) {
  Lists lists;
  std::int64_t begin = 0;
  for (const std::int64_t end : all.ends) {
    lists.emplace_back(all.examples.begin() + begin, all.examples.begin() + end);
    begin = end;
  }
  return lists;
}

/// What share of the places in padded batches holds no token.
double padding(const Lists& batches, const Numbers& lengths) {
  double places = 0, tokens = 0;
  for (const Numbers& batch : batches) {
    std::int64_t longest = 0;
    for (const std::int64_t i : batch) {
      longest = std::max(longest, lengths[std::size_t(i)]);
      tokens += static_cast<double>(lengths[std::size_t(i)]);
    }
    places += static_cast<double>(longest) * static_cast<double>(batch.size());
  }
  return 1 - tokens / places;
}

template <class Loader>
Lists epoch_of(Loader& loader) {
  Lists epoch;
  for (const auto& [indices] : loader) {
    const auto values = indices.template values<std::int64_t>();
    epoch.emplace_back(values.begin(), values.end());
  }
  return epoch;
}

}  // namespace

TEST_CASE("by_length: every example once, in batches of little padding, anew each epoch") {
  const Numbers lengths = some_lengths(1003);
  const data::BatchSampler sampler = data::by_length(lengths, {.batch_size = 16});
  const data::BatchPlan first = sampler({.seed = 1, .number = 1});
  CHECK(sorted(first.examples) == range(1003));
  const Lists batches = batches_of(first);
  CHECK(batches.size() == 63);
  CHECK(std::ranges::count_if(batches, [](const Numbers& batch) { return batch.size() == 16; }) == 62);
  Lists plain;
  for (std::int64_t begin = 0; begin < 1003; begin += 16) {
    plain.push_back(range(std::min<std::int64_t>(begin + 16, 1003)));
    plain.back().erase(plain.back().begin(), plain.back().begin() + begin);
  }
  CHECK(padding(plain, lengths) > 0.4);
  CHECK(padding(batches, lengths) < 0.08);  // 13 buckets: half of a bucket's range in a mean of half of all
  CHECK(sampler({.seed = 1, .number = 1}).examples == first.examples);
  CHECK(sampler({.seed = 1, .number = 2}).examples != first.examples);
  CHECK(sampler({.seed = 2, .number = 1}).examples != first.examples);
  // Not only the order of the batches changes, but also who is in one.
  std::set<Numbers> before;
  for (const Numbers& batch : batches) before.insert(sorted(batch));
  int same = 0;
  for (const Numbers& batch : batches_of(sampler({.seed = 1, .number = 2})))
    same += static_cast<int>(before.contains(sorted(batch)));
  CHECK(same < 5);
  // Short and long batches come mixed.
  const auto half = [&](std::size_t from, std::size_t to) {
    double sum = 0;
    for (std::size_t i = from; i < to; ++i) sum += static_cast<double>(lengths[std::size_t(batches[i][0])]);
    return sum / static_cast<double>(to - from);
  };
  CHECK(std::abs(half(0, 31) - half(31, 63)) < 60);
}

TEST_CASE("by_length: without shuffling, from short to long; leaving out what fills no batch") {
  const Numbers lengths{5, 1, 4, 2, 3};
  const Lists batches = batches_of(data::by_length(lengths, {.batch_size = 2, .shuffle = false})({}));
  CHECK(batches == Lists{{1, 3}, {4, 2}, {0}});
  CHECK(batches_of(data::by_length(lengths, {.batch_size = 2, .shuffle = false, .drop_last = true})({})).size() == 2);
  CHECK(batches_of(data::by_length({}, {})({})).empty());
  CHECK(batches_of(data::by_length(Numbers{7}, {})({})) == Lists{{0}});
  CHECK(batches_of(data::by_length(Numbers{0, 0}, {.max_tokens = 1})({})).size() == 2);
}

TEST_CASE("by_length: batches of at most so many tokens") {
  const Numbers lengths = some_lengths(500);
  const data::BatchSampler sampler = data::by_length(lengths, {.max_tokens = 1000, .pad_multiple = 8});
  for (std::int64_t epoch = 1; epoch <= 3; ++epoch) {
    const data::BatchPlan all = sampler({.seed = 3, .number = epoch});
    CHECK(sorted(all.examples) == range(500));
    CHECK(all.ends.size() == sampler({}).ends.size());
    for (const Numbers& batch : batches_of(all)) {
      std::int64_t longest = 0;
      for (const std::int64_t i : batch) longest = std::max(longest, (lengths[std::size_t(i)] + 7) / 8 * 8);
      REQUIRE(longest * std::ssize(batch) <= 1000);
    }
    CHECK(padding(batches_of(all), lengths) < 0.15);
  }
  CHECK_THROWS_WITH_AS(data::by_length(Numbers{3, 20}, {.max_tokens = 16}),
                       "by_length: example 1 has 20 tokens with padding, max_tokens is 16", ValueError);
}

TEST_CASE("by_length: options are checked") {
  CHECK_THROWS_WITH_AS(data::by_length(Numbers{1, -2}), "by_length: example 1 has length -2, expected 0 or more",
                       ValueError);
  CHECK_THROWS_AS(data::by_length(Numbers{1}, {.batch_size = 0}), ValueError);
  CHECK_THROWS_AS(data::by_length(Numbers{1}, {.max_tokens = -1}), ValueError);
  CHECK_THROWS_AS(data::by_length(Numbers{1}, {.pad_multiple = 0}), ValueError);
  CHECK_THROWS_AS(data::by_length(Numbers{1}, {.buckets = -1}), ValueError);
}

TEST_CASE("loader with a batch sampler: the same for any number of workers, and goes on in the middle") {
  const Numbers lengths = some_lengths(203);
  const auto loader_of = [&](int workers) {
    return data::Loader(Counting{203},
                        {.workers = workers, .seed = 9, .batch_sampler = data::by_length(lengths, {.batch_size = 8})});
  };
  data::Loader whole = loader_of(0);
  CHECK(whole.batches() == 26);
  const std::array<Lists, 2> expected{epoch_of(whole), epoch_of(whole)};
  CHECK(expected[0] != expected[1]);
  for (const int workers : {1, 3}) {
    data::Loader loader = loader_of(workers);
    for (const Lists& epoch : expected) CHECK(epoch_of(loader) == epoch);
    for (const std::int64_t batch : {0, 1, 13, 26}) {
      data::Loader resumed = loader_of(workers);
      resumed.restore({.epoch = 2, .batch = batch, .seed = 9});
      CHECK(epoch_of(resumed) == Lists(expected[1].begin() + batch, expected[1].end()));
    }
  }
}

TEST_CASE("loader with a batch sampler: what is wrong with it is said") {
  const auto with = [](data::BatchSampler sampler) {
    return data::Loader(Counting{4}, {.batch_sampler = std::move(sampler)});
  };
  const auto fixed = [](Numbers examples, Numbers ends) {
    return [=](const data::Epoch&) { return data::BatchPlan{examples, ends}; };
  };
  data::Loader twice = with(fixed({3, 3, 0}, {1, 3}));
  CHECK(epoch_of(twice) == Lists{{3}, {3, 0}});
  CHECK_THROWS_WITH_AS(with(fixed({0, 4}, {2})), "loader: the batch sampler asks for example 4 of 4", ValueError);
  CHECK_THROWS_WITH_AS(with(fixed({0, 1}, {1})), "loader: the batch sampler's last batch ends at 1 of 2 examples",
                       ValueError);
  CHECK_THROWS_WITH_AS(with(fixed({0, 1}, {1, 1, 2})),
                       "loader: the batch sampler has a batch that ends at 1 after one that ends at 1, of 2 examples",
                       ValueError);
  CHECK_THROWS_WITH_AS(data::Loader(Counting{4}, {.batch_size = 2, .batch_sampler = fixed({0}, {1})}),
                       "loader: batch_sampler beside batch_size, shuffle or drop_last, expected it alone", ValueError);
  data::Loader growing = with([](const data::Epoch& epoch) {
    const Numbers all = range(epoch.number);
    return data::BatchPlan{all, [&] {
                             Numbers ends;
                             for (const std::int64_t i : all) ends.push_back(i + 1);
                             return ends;
                           }()};
  });
  CHECK(epoch_of(growing) == Lists{{0}});
  CHECK_THROWS_WITH_AS(epoch_of(growing), "loader: the batch sampler makes 2 batches of epoch 2, and made 1 before",
                       ValueError);
}

TEST_CASE("tokenized: the lengths of its texts") {
  const std::vector<std::string> texts{"the farmer carries the bread", "a baker", "the old rope"};
  const auto tokenizer = data::SentencePiece::train(texts, {.vocab_size = 24});
  const data::Tokenized dataset(texts, Numbers{0, 1, 0}, tokenizer);
  const Numbers lengths = dataset.lengths();
  for (std::int64_t i = 0; i < 3; ++i) CHECK(lengths[std::size_t(i)] == std::get<0>(dataset.get(i)).size(0));
}
