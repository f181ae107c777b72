#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <numeric>
#include <ranges>
#include <set>
#include <stdexcept>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>
#include <temper/core/random.hpp>
#include <temper/data/loader.hpp>
#include <temper/data/tensor_dataset.hpp>

#include "tests/data/allocations.hpp"

using namespace temper;

using temper_test::allocations;

namespace {

/// Example i is {i, [i, -i]}, one at a time.
struct Numbers {
  std::int64_t count;

  std::int64_t size() const { return count; }
  std::tuple<Tensor, Tensor> get(std::int64_t i) const {
    Tensor index = empty({}, Dtype::i64);
    *index.mutable_data<std::int64_t>() = i;
    return {index, from({static_cast<float>(i), -static_cast<float>(i)}, {2})};
  }
};

data::TensorDataset<2> numbers_in_memory(std::int64_t count) {
  Tensor pairs = empty({count, 2});
  for (std::int64_t i = 0; i < count; ++i) {
    pairs.mutable_data<float>()[2 * i] = static_cast<float>(i);
    pairs.mutable_data<float>()[2 * i + 1] = -static_cast<float>(i);
  }
  return data::TensorDataset(arange(count), pairs);
}

using Epoch = std::vector<std::vector<std::int64_t>>;

/// The example numbers of each batch; checks that the second field goes with the first.
template <class Loader>
Epoch epoch_of(Loader& loader) {
  Epoch epoch;
  for (const auto& [indices, pairs] : loader) {
    const auto numbers = indices.template values<std::int64_t>();
    epoch.emplace_back(numbers.begin(), numbers.end());
    REQUIRE(pairs.shape() == Shape{indices.size(0), 2});
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      REQUIRE(pairs.template values<float>()[2 * i + 1] == -static_cast<float>(numbers[i]));
    }
  }
  return epoch;
}

std::vector<std::int64_t> joined(const Epoch& epoch) {
  std::vector<std::int64_t> all;
  for (const auto& batch : epoch) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

}  // namespace

static_assert(data::Dataset<Numbers> && !data::BatchedDataset<Numbers>);
static_assert(data::BatchedDataset<data::TensorDataset<3>>);
static_assert(std::ranges::input_range<data::Loader<Numbers>>);
static_assert(std::is_nothrow_move_constructible_v<data::Loader<Numbers>>);

TEST_CASE("loader: batches in order, the last one shorter") {
  data::Loader loader(Numbers{7}, {.batch_size = 3});
  CHECK(loader.size() == 7);
  CHECK(loader.batches() == 3);
  CHECK(epoch_of(loader) == Epoch{{0, 1, 2}, {3, 4, 5}, {6}});
  data::Loader whole(Numbers{7}, {.batch_size = 3, .drop_last = true});
  CHECK(whole.batches() == 2);
  CHECK(epoch_of(whole) == Epoch{{0, 1, 2}, {3, 4, 5}});
}

TEST_CASE("loader: sizes at the edge") {
  for (const int workers : {0, 2}) {
    data::Loader nothing(Numbers{0}, {.batch_size = 4, .workers = workers});
    CHECK(nothing.batches() == 0);
    CHECK(epoch_of(nothing).empty());
    CHECK(nothing.epoch() == 2);
    data::Loader one(Numbers{3}, {.batch_size = 100, .workers = workers});
    CHECK(epoch_of(one) == Epoch{{0, 1, 2}});
    data::Loader dropped(Numbers{3}, {.batch_size = 100, .drop_last = true, .workers = workers});
    CHECK(dropped.batches() == 0);
    CHECK(epoch_of(dropped).empty());
    data::Loader exact(Numbers{6}, {.batch_size = 3, .drop_last = true, .workers = workers});
    CHECK(exact.batches() == 2);
    CHECK(epoch_of(exact).size() == 2);
  }
}

TEST_CASE("loader: the same batches for any number of workers, any prefetch, either kind of data set") {
  manual_seed(3);
  data::Loader plain(Numbers{101}, {.batch_size = 8, .shuffle = true, .workers = 0});
  const std::array<Epoch, 3> expected{epoch_of(plain), epoch_of(plain), epoch_of(plain)};
  CHECK(expected[0] != expected[1]);
  for (const int workers : {1, 2, 3, 4}) {
    for (const int prefetch : {0, 1, 2, 9, 50}) {
      const data::LoaderOptions options{.batch_size = 8, .shuffle = true, .workers = workers, .prefetch = prefetch};
      data::Loader loader(Numbers{101}, options);
      data::Loader in_memory(numbers_in_memory(101), options);
      for (const Epoch& epoch : expected) {
        CHECK(epoch_of(loader) == epoch);
        CHECK(epoch_of(in_memory) == epoch);
      }
    }
  }
}

TEST_CASE("loader: a shuffled epoch has every example once, and is a function of seed and epoch") {
  data::Loader loader(Numbers{1000}, {.batch_size = 10, .shuffle = true, .seed = 5});
  std::set<std::vector<std::int64_t>> orders;
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::int64_t> all = joined(epoch_of(loader));
    orders.insert(all);
    std::ranges::sort(all);
    std::vector<std::int64_t> numbers(1000);
    std::iota(numbers.begin(), numbers.end(), std::int64_t{0});
    CHECK(all == numbers);
  }
  CHECK(orders.size() == 3);
  data::Loader other(Numbers{1000}, {.batch_size = 10, .shuffle = true, .seed = 6});
  CHECK(!orders.contains(joined(epoch_of(other))));
  data::Loader again(Numbers{1000}, {.batch_size = 7, .shuffle = true, .seed = 5});
  CHECK(orders.contains(joined(epoch_of(again))));
}

TEST_CASE("loader: every example is equally likely to come first") {
  std::array<int, 6> first{};
  for (std::uint64_t seed = 0; seed < 6000; ++seed) {
    data::Loader loader(Numbers{6}, {.batch_size = 1, .shuffle = true, .workers = 0, .seed = seed});
    ++first[static_cast<std::size_t>(*std::get<0>(*loader.begin()).data<std::int64_t>())];
  }
  for (const int count : first) {
    CHECK(count > 850);  // 1000 expected, standard deviation 29
    CHECK(count < 1150);
  }
}

TEST_CASE("loader: the default seed is manual_seed's when the epoch begins") {
  data::Loader loader(Numbers{50}, {.batch_size = 5, .shuffle = true});
  manual_seed(11);
  const Epoch first = epoch_of(loader);
  data::Loader seeded(Numbers{50}, {.batch_size = 5, .shuffle = true, .seed = 11});
  CHECK(epoch_of(seeded) == first);
}

TEST_CASE("loader: goes on exactly where a saved position says") {
  for (const int workers : {0, 1, 3}) {
    manual_seed(1);
    const data::LoaderOptions options{.batch_size = 4, .shuffle = true, .workers = workers};
    std::vector<data::LoaderState> states;
    Epoch batches;
    data::Loader run(Numbers{18}, options);
    for (int epoch = 0; epoch < 3; ++epoch) {
      states.push_back(run.state());  // between epochs
      batches.emplace_back();         // stands for the end of an epoch
      for (const auto& [indices, pairs] : run) {
        batches.emplace_back(indices.values<std::int64_t>().begin(), indices.values<std::int64_t>().end());
        states.push_back(run.state());  // after this batch
      }
    }
    for (std::size_t k = 0; k < states.size(); ++k) {
      manual_seed(1);
      data::Loader resumed(Numbers{18}, options);
      if (states[k].batch > 0) manual_seed(99);  // what was drawn stays drawn
      resumed.restore(states[k]);
      CHECK(resumed.epoch() == states[k].epoch);
      CHECK(resumed.state() == states[k]);
      Epoch rest;
      while (resumed.epoch() <= 3) {
        manual_seed(states[k].batch > 0 && resumed.epoch() == states[k].epoch ? 99 : 1);
        for (const auto& [indices, pairs] : resumed) {
          rest.emplace_back(indices.values<std::int64_t>().begin(), indices.values<std::int64_t>().end());
        }
      }
      Epoch expected(batches.begin() + static_cast<std::ptrdiff_t>(k) + 1, batches.end());
      std::erase(expected, std::vector<std::int64_t>());
      CHECK(rest == expected);
    }
  }
}

TEST_CASE("loader: a position it cannot have is refused and changes nothing") {
  data::Loader loader(Numbers{10}, {.batch_size = 5});
  CHECK_THROWS_WITH_AS(loader.restore({.epoch = 2, .batch = 3}),
                       "loader: cannot restore epoch 2, batch 3: epochs count from 1 and have 2 batches", ValueError);
  CHECK_THROWS_AS(loader.restore({.epoch = 0}), ValueError);
  CHECK_THROWS_AS(loader.restore({.epoch = 1, .batch = -1}), ValueError);
  CHECK(loader.state() == data::LoaderState{});
}

TEST_CASE("loader: a loop may be left early, and the next one is the next epoch") {
  for (const int workers : {0, 1, 4}) {
    const data::LoaderOptions options{.batch_size = 2, .shuffle = true, .workers = workers, .seed = 8};
    data::Loader whole(Numbers{40}, options);
    epoch_of(whole);
    const Epoch second = epoch_of(whole);
    data::Loader left(Numbers{40}, options);
    for (const auto& batch : left) {
      CHECK(std::get<0>(batch).size(0) == 2);
      break;
    }
    CHECK(left.epoch() == 1);
    CHECK(epoch_of(left) == second);
    CHECK(left.epoch() == 3);
    for ([[maybe_unused]] const auto& batch : left) break;  // destroyed while its workers are busy
  }
}

TEST_CASE("loader: a loop that lost its epoch ends") {
  data::Loader loader(Numbers{10}, {.batch_size = 2});
  int batches = 0;
  for ([[maybe_unused]] const auto& batch : loader) {
    ++batches;
    if (batches == 2) loader.restore({.epoch = 1, .batch = 4});
    if (batches > 2) break;
  }
  CHECK(batches == 2);
  CHECK(epoch_of(loader) == Epoch{{8, 9}});
}

TEST_CASE("loader: what a data set throws arrives with its batch") {
  struct Broken : Numbers {
    std::tuple<Tensor, Tensor> get(std::int64_t i) const {
      if (i == 13) throw std::runtime_error("example 13 is broken");
      return Numbers::get(i);
    }
  };
  for (const int workers : {0, 1, 2, 4}) {
    data::Loader loader(Broken{{40}}, {.batch_size = 5, .workers = workers});
    for (int epoch = 1; epoch <= 2; ++epoch) {
      int seen = 0;
      const auto run = [&] {
        for ([[maybe_unused]] const auto& batch : loader) ++seen;
      };
      CHECK_THROWS_WITH_AS(run(), "example 13 is broken", std::runtime_error);
      CHECK(seen == 2);
      CHECK(loader.state().batch == 2);
      CHECK(loader.epoch() == epoch);
    }
  }
}

TEST_CASE("loader: examples of different shapes are named") {
  struct Ragged {
    std::int64_t size() const { return 4; }
    std::array<Tensor, 1> get(std::int64_t i) const { return {zeros({i == 2 ? 3 : 2})}; }
  };
  data::Loader loader(Ragged{}, {.batch_size = 4});
  CHECK_THROWS_WITH_AS(loader.begin(), "loader: example 2 is f32 [3], but the batch began with f32 [2]", ShapeError);
}

TEST_CASE("loader: options are checked") {
  CHECK_THROWS_WITH_AS(data::Loader(Numbers{-1}), "loader: a data set of -1 examples, expected 0 or more", ValueError);
  CHECK_THROWS_WITH_AS(data::Loader(Numbers{std::int64_t{1} << 60}, {.shuffle = true}),
                       "loader: no memory for the order of 1152921504606846976 examples, 8 bytes each",
                       OutOfMemoryError);
  CHECK_THROWS_WITH_AS(data::Loader(Numbers{4}, {.batch_size = 0}), "loader: batch_size 0, expected at least 1",
                       ValueError);
  CHECK_THROWS_WITH_AS(data::Loader(Numbers{4}, {.workers = -1}), "loader: -1 workers, expected 0 or more", ValueError);
  CHECK_THROWS_WITH_AS(data::Loader(Numbers{4}, {.prefetch = -1}), "loader: prefetch -1, expected 0 or more",
                       ValueError);
}

TEST_CASE("loader: may be moved, before its workers start and after") {
  const auto made = [] { return data::Loader(Numbers{6}, {.batch_size = 4, .workers = 2}); };
  data::Loader loader = made();
  CHECK(epoch_of(loader) == Epoch{{0, 1, 2, 3}, {4, 5}});
  data::Loader moved = std::move(loader);
  CHECK(epoch_of(moved) == Epoch{{0, 1, 2, 3}, {4, 5}});
  std::vector<data::Loader<Numbers>> several;
  several.push_back(std::move(moved));
  several.push_back(made());
  CHECK(several[0].epoch() == 3);
}

TEST_CASE("loader: a new one may take the place of one whose workers are busy") {
  // A data set that says when it is read after its end.
  static std::atomic<int> late;
  struct Mortal {
    std::shared_ptr<std::atomic<bool>> alive = std::make_shared<std::atomic<bool>>(true);
    Mortal() = default;
    Mortal(Mortal&&) = default;
    ~Mortal() {
      if (alive) *alive = false;
    }
    std::int64_t size() const { return 1000; }
    std::array<Tensor, 1> get(std::int64_t) const {
      const auto mine = alive;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      if (!*mine) ++late;
      return {scalar(1)};
    }
  };
  late = 0;
  data::Loader loader(Mortal(), {.batch_size = 1, .workers = 2});
  for (int i = 0; i < 3; ++i) {
    for (const auto& [one] : loader) {
      CHECK(one.item() == 1);
      break;
    }
    loader = data::Loader(Mortal(), {.batch_size = 1, .workers = 2});
  }
  CHECK(late == 0);
}

TEST_CASE("loader: a data set in order costs nothing, whatever its size") {
  constexpr std::int64_t huge = std::int64_t{1} << 50;
  for (const int workers : {0, 2}) {
    data::Loader loader(Numbers{huge}, {.batch_size = 2, .workers = workers});
    CHECK(loader.batches() == huge / 2);
    std::int64_t expected = 0;
    for (const auto& [indices, pairs] : loader) {
      CHECK(indices.values<std::int64_t>()[1] == expected + 1);
      if ((expected += 2) == 20) break;
    }
    loader.restore({.epoch = 1, .batch = huge / 2 - 1, .seed = 0});
    for (const auto& [indices, pairs] : loader) CHECK(indices.values<std::int64_t>()[0] == huge - 2);
  }
}

TEST_CASE("loader: workers run parallel_for alone") {
  struct Threads {
    std::int64_t size() const { return 2; }
    std::array<Tensor, 1> get(std::int64_t) const {
      const auto mine = std::this_thread::get_id();
      std::atomic<int> elsewhere = 0;
      parallel_for(64, 1, [&](std::int64_t, std::int64_t) { elsewhere += std::this_thread::get_id() != mine; });
      return {scalar(static_cast<float>(elsewhere))};
    }
  };
  const int before = threads();
  set_threads(2);
  data::Loader loader(Threads{}, {.batch_size = 2, .workers = 1});
  for (const auto& [elsewhere] : loader) CHECK(elsewhere.values<float>()[0] == 0.0f);
  set_threads(before);
}

TEST_CASE("loader: taking a batch allocates nothing on the training thread") {
  for (const int workers : {0, 1, 2}) {
    data::Loader loader(numbers_in_memory(640), {.batch_size = 16, .shuffle = true, .workers = workers});
    epoch_of(loader);
    const std::int64_t before = allocations();
    std::int64_t taken = 0;
    for (int epoch = 0; epoch < 2; ++epoch) {
      for (const auto& [indices, pairs] : loader) taken += indices.size(0);
    }
    CHECK(allocations() == before);
    CHECK(taken == 1280);
  }
  const std::int64_t before = allocations();
  ::operator delete(::operator new(1));
  CHECK(allocations() == before + 1);  // the counter counts
}

TEST_CASE("tensor data set: rows of its fields") {
  const data::TensorDataset dataset(from({0, 1, 2, 3, 4, 5}, {3, 2}), indices({7, 8, 9}));
  CHECK(dataset.size() == 3);
  const auto [pair, label] = dataset.get(1);
  CHECK(pair.shape() == Shape{2});
  CHECK(pair.values<float>()[1] == 3.0f);
  CHECK(label.shape() == Shape{});
  CHECK(label.item() == 8);
  const std::array<std::int64_t, 2> order{2, 0};
  const auto [pairs, labels] = dataset.batch(order);
  CHECK(pairs.shape() == Shape{2, 2});
  CHECK(pairs.values<float>()[0] == 4.0f);
  CHECK(labels.values<std::int64_t>()[1] == 7);
  CHECK_THROWS_AS(dataset.get(3), ShapeError);
  const std::array<std::int64_t, 1> past{3};
  CHECK_THROWS_WITH_AS(dataset.batch(past), "tensor data set: example 3 of 3", ShapeError);
  CHECK_THROWS_WITH_AS(data::TensorDataset(zeros({3}), zeros({4, 2})),
                       "tensor data set: fields [3] and [4, 2] have different numbers of examples", ShapeError);
  CHECK_THROWS_AS(data::TensorDataset(scalar(1)), ShapeError);
}
