#include <temper/data/subset.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/tensor_dataset.hpp>

#include "tests/data/counting.hpp"

using namespace temper;
using namespace temper_test;

namespace {

template <class... Parts>
Numbers joined(const Parts&... parts) {
  Numbers all;
  (all.insert(all.end(), parts.indices().begin(), parts.indices().end()), ...);
  std::ranges::sort(all);
  return all;
}

}  // namespace

TEST_CASE("subset: the examples of these numbers, also through batch()") {
  const Numbers chosen{4, 0, 4};
  CHECK(numbers_of(data::Loader(data::Subset(Counting{5}, chosen), {.batch_size = 2})) == chosen);
  CHECK(numbers_of(data::Loader(data::Subset(data::TensorDataset(arange(5)), chosen), {.batch_size = 2})) == chosen);
  CHECK(std::get<0>(data::Subset(Counting{5}, chosen).get(1)).item() == 0);
  CHECK_THROWS_WITH_AS(data::Subset(Counting{5}, {0, 5}), "Subset: example 5 of a data set of 5", ValueError);
  CHECK_THROWS_WITH_AS(data::Subset(Counting{5}, chosen).get(3), "Subset: example 3 of 3", ValueError);
}

TEST_CASE("concat: one after the other") {
  const data::Concat all(Counting{2}, data::TensorDataset(arange(3)), Counting{1});
  CHECK(numbers_of(data::Loader(all, {.batch_size = 4})) == Numbers{0, 1, 0, 1, 2, 0});
  CHECK_THROWS_WITH_AS(all.get(6), "Concat: example 6 of 6", ValueError);
}

TEST_CASE("random_split: every example in one part, parts of their shares, by the seed") {
  auto [train, validation, test] = data::random_split(Counting{101}, {0.8, 0.1, 0.1}, 1);
  CHECK(train.size() == 81);
  CHECK(validation.size() == 10);
  CHECK(test.size() == 10);
  CHECK(joined(train, validation, test) == range(101));
  CHECK(data::random_split(Counting{101}, {0.8, 0.1, 0.1}, 1)[2].indices() == test.indices());
  CHECK(data::random_split(Counting{101}, {0.8, 0.1, 0.1}, 2)[2].indices() != test.indices());
  CHECK(data::random_split(Counting{0}, {0.5, 0.5}, 1)[0].size() == 0);
  CHECK_THROWS_WITH_AS(data::random_split(Counting{9}, {0.5, 0.4}, 1),
                       "split: shares 0.5, 0.4, expected none below 0 and a sum of 1", ValueError);
  CHECK_THROWS_AS(data::random_split(Counting{9}, {1.5, -0.5}, 1), ValueError);
}

TEST_CASE("random_split: every example is held out equally often") {
  std::vector<int> times(10);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const auto parts = data::random_split(Counting{10}, {0.7, 0.3}, seed);
    for (const std::int64_t i : parts[1].indices()) ++times[std::size_t(i)];
  }
  for (const int count : times) CHECK(std::abs(count - 600) < 100);  // five standard deviations
}

TEST_CASE("stratified_split: every part has its share of each class") {
  Numbers labels;
  for (int i = 0; i < 90; ++i) labels.push_back(0);
  for (int i = 0; i < 9; ++i) labels.push_back(7);
  for (int i = 0; i < 1; ++i) labels.push_back(-1);
  auto [train, test] = data::stratified_split(Counting{100}, labels, {0.7, 0.3}, 3);
  const auto count = [&](const auto& part, std::int64_t label) {
    return std::ranges::count_if(part.indices(), [&](std::int64_t i) { return labels[std::size_t(i)] == label; });
  };
  CHECK(joined(train, test) == range(100));
  CHECK(train.size() == 70);
  CHECK(count(test, 0) == 27);
  CHECK(std::abs(static_cast<double>(count(test, 7)) - 2.7) < 1);
  CHECK_THROWS_WITH_AS(data::stratified_split(Counting{3}, labels, {0.5, 0.5}, 1),
                       "split: 100 labels for 3 examples, expected one each", ValueError);
}

TEST_CASE("k_fold: each example is held out once") {
  const auto folds = data::k_fold(Counting{11}, 3, 5);
  REQUIRE(folds.size() == 3);
  CHECK(joined(folds[0].test, folds[1].test, folds[2].test) == range(11));
  for (const auto& fold : folds) {
    CHECK(joined(fold.train, fold.test) == range(11));
    CHECK(fold.test.size() >= 3);
  }
  CHECK_THROWS_WITH_AS(data::k_fold(Counting{3}, 1, 5), "k_fold: 1 folds of 3 examples, expected 2 to 3", ValueError);
  CHECK_THROWS_AS(data::k_fold(Counting{3}, 4, 5), ValueError);
}

TEST_CASE("weighted: drawn as often as the weights say, by seed and epoch, whatever the workers") {
  const std::array<double, 3> weights{1, 0, 3};
  const data::Weighted drawn(Counting{3}, weights, 4000);
  const auto run = [&](int workers) {
    data::Loader loader(drawn, {.batch_size = 64, .workers = workers, .seed = 3});
    Numbers all;
    for (int epoch = 0; epoch < 2; ++epoch) {
      for (const auto& [indices] : loader) {
        for (const std::int64_t i : indices.values<std::int64_t>()) all.push_back(i);
      }
    }
    return all;
  };
  const Numbers all = run(0);
  REQUIRE(all.size() == 8000);
  CHECK(std::ranges::count(all, 1) == 0);
  CHECK(std::abs(std::ranges::count(all, 0) - 2000) < 200);  // five standard deviations
  CHECK(!std::equal(all.begin(), all.begin() + 4000, all.begin() + 4000));
  CHECK(run(2) == all);
  CHECK(data::Weighted(data::TensorDataset(arange(3)), weights).size() == 3);
  CHECK_THROWS_WITH_AS(data::Weighted(Counting{2}, weights), "Weighted: 3 weights for 2 examples, expected one each",
                       ValueError);
  CHECK_THROWS_WITH_AS(data::Weighted(Counting{1}, std::array{-1.0}),
                       "Weighted: weight -1 of example 0, expected a finite one, 0 or more", ValueError);
  CHECK_THROWS_AS(data::Weighted(Counting{1}, std::array{0.0}), ValueError);
  CHECK_THROWS_AS(data::Weighted(Counting{1}, std::array{1.0}, -1), ValueError);
}

TEST_CASE("balanced_weights: every class equally often") {
  const auto weights = data::balanced_weights(Numbers{5, 5, 5, 2});
  CHECK(weights[0] * 3 == doctest::Approx(weights[3]));
  CHECK(std::accumulate(weights.begin(), weights.end(), 0.0) == doctest::Approx(1));
}
