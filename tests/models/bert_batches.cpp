#include <temper/models/bert/batches.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <temper/temper.hpp>

using namespace temper;
using namespace temper::models;

namespace {

/// Words by number: " 17 4" is [CLS] 17 4 [SEP].
class Numbers final : public data::Tokenizer {
 public:
  std::vector<std::int64_t> encode(std::string_view text) const override {
    std::vector<std::int64_t> ids;
    std::istringstream words{std::string(text)};
    for (std::int64_t id = 0; words >> id;) ids.push_back(id);
    return ids;
  }
  std::string decode(std::span<const std::int64_t>) const override { return {}; }
  std::int64_t vocab_size() const override { return 1000; }
  std::int64_t pad() const override { return 0; }
  std::int64_t cls() const override { return 1; }
  std::int64_t sep() const override { return 2; }
  std::int64_t mask() const override { return has_mask ? 3 : -1; }
  std::string serialized() const override { return {}; }

  bool has_mask = true;
};

/// Texts of these lengths: text i repeats the token 10 + i, and has label i.
data::Tokenized texts(std::int64_t count) {
  std::vector<std::string> all;
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    all.emplace_back();
    for (std::int64_t t = 0; t < 1 + i * 7 % 20; ++t) all.back().append(" ").append(std::to_string(10 + i));
    labels.push_back(i);
  }
  return data::Tokenized(all, labels, Numbers(), {.max_length = 16, .pad_multiple = 4});
}

std::vector<std::int64_t> numbers(const Tensor& x) {
  const auto values = x.values<std::int64_t>();
  return {values.begin(), values.end()};
}

constexpr data::Epoch first{.seed = 5, .number = 1}, second{.seed = 5, .number = 2};

}  // namespace

TEST_CASE("text batches: every text once per epoch, batched with texts of its length, with others each epoch") {
  const TextBatches batches(texts(50), Numbers(), {.batch_size = 8});
  CHECK(batches.size() == 7);
  std::set<std::vector<std::int64_t>> companies;
  for (const data::Epoch& epoch : {first, second}) {
    std::vector<std::int64_t> seen;
    std::int64_t padding = 0;
    for (std::int64_t i = 0; i < batches.size(); ++i) {
      const auto [tokens, labels] = batches.get(i, epoch);
      CHECK(tokens.size(0) == (i < 6 ? 8 : 2));
      CHECK(tokens.size(1) % 4 == 0);
      CHECK(tokens.size(0) == labels.size(0));
      for (std::int64_t n = 0; n < tokens.size(0); ++n) {
        const std::int64_t label = labels.data<std::int64_t>()[n];
        CHECK(tokens.data<std::int64_t>()[n * tokens.size(1) + 1] == 10 + label);
        seen.push_back(label);
      }
      padding += std::ranges::count(numbers(tokens), 0);
      auto company = numbers(labels);
      std::ranges::sort(company);
      companies.insert(company);
      CHECK(numbers(batches.get(i, epoch)[0]) == numbers(tokens));  // a second call gives the same
    }
    std::ranges::sort(seen);
    CHECK(seen == numbers(arange(50)));
    CHECK(padding < 50 * 4);
  }
  CHECK(companies.size() > 7);
}

TEST_CASE("text batches: a loader with batch size 1 gives them without a further axis") {
  data::Loader loader(TextBatches(texts(50), Numbers(), {.batch_size = 8}), {.shuffle = true, .seed = 3});
  std::int64_t count = 0;
  for (const auto& [tokens, labels] : loader) {
    CHECK(tokens.rank() == 2);
    count += labels.numel();
  }
  CHECK(count == 50);
  data::Loader two(TextBatches(texts(50), Numbers(), {.batch_size = 8}), {.batch_size = 2});
  CHECK_THROWS_AS(two.begin(), ValueError);
}

TEST_CASE("text batches: word dropout masks its fraction of the words, and no special token") {
  const TextBatches plain(texts(200), Numbers(), {.batch_size = 200});
  const TextBatches hidden(texts(200), Numbers(), {.batch_size = 200, .word_dropout = 0.25});
  const auto before = numbers(plain.get(0, first)[0]), after = numbers(hidden.get(0, first)[0]);
  REQUIRE(before.size() == after.size());
  double words = 0, gone = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i] >= 10) ++words;
    if (before[i] == after[i]) continue;
    CHECK(before[i] >= 10);
    CHECK(after[i] == 3);
    ++gone;
  }
  CHECK(gone / words == doctest::Approx(0.25).epsilon(0.15));
  CHECK(numbers(hidden.get(0, second)[0]) != after);
}

TEST_CASE("masked batches: targets are the original tokens; 80 % are masked, 10 % replaced, 10 % unchanged") {
  const TextBatches plain(texts(400), Numbers(), {.batch_size = 100});
  const MaskedBatches masked(plain, Numbers());
  CHECK(masked.size() == 4);
  double guessed = 0, words = 0, hidden = 0, kept = 0;
  std::map<std::int64_t, std::int64_t> counts;  // by size of the batch
  for (std::int64_t number = 1; number <= 5; ++number) {
    const data::Epoch epoch{.seed = 5, .number = number};
    for (std::int64_t i = 0; i < masked.size(); ++i) {
      const auto [tokens, positions, targets] = masked.get(i, epoch);
      auto before = numbers(plain.get(i, epoch)[0]);
      const auto after = numbers(tokens), at = numbers(positions), target = numbers(targets);
      CHECK(std::set(at.begin(), at.end()).size() == at.size());
      CHECK(counts.try_emplace(tokens.numel(), positions.numel()).first->second == positions.numel());
      words += static_cast<double>(std::ranges::count_if(before, [](std::int64_t token) { return token >= 10; }));
      guessed += static_cast<double>(at.size());
      for (std::size_t k = 0; k < at.size(); ++k) {
        const auto place = static_cast<std::size_t>(at[k]);
        CHECK(target[k] == before[place]);
        CHECK(target[k] >= 10);
        hidden += after[place] == 3;
        kept += after[place] == target[k];
        before[place] = after[place];
      }
      CHECK(before == after);  // all other tokens are unchanged
    }
  }
  CHECK(guessed / words > 0.1);
  CHECK(guessed / words <= 0.16);
  CHECK(hidden / guessed == doctest::Approx(0.8).epsilon(0.1));
  CHECK(kept / guessed == doctest::Approx(0.1).epsilon(0.3));
}

TEST_CASE("text batches: invalid arguments throw") {
  Numbers without;
  without.has_mask = false;
  CHECK_THROWS_WITH_AS(TextBatches(texts(3), without), "TextBatches: the tokenizer has no [MASK]", ValueError);
  CHECK_THROWS_WITH_AS(TextBatches(texts(3), Numbers(), {.batch_size = 0}),
                       "TextBatches: batch size 0, expected at least 1", ValueError);
  CHECK_THROWS_AS(TextBatches(texts(3), Numbers(), {.word_dropout = 1.5}), ValueError);
  CHECK_THROWS_AS(MaskedBatches(TextBatches(texts(3), Numbers()), Numbers(), {.masked = 0.9, .replaced = 0.2}),
                  ValueError);
  CHECK_THROWS_WITH_AS(TextBatches(texts(3), Numbers()).get(1, first), "TextBatches: batch 1 of 1", ValueError);
}
