#include <doctest/doctest.h>

#include <array>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/loader.hpp>

using namespace temper;

namespace {

struct Numbers {
  std::int64_t count;
  std::int64_t size() const { return count; }
  std::array<Tensor, 1> get(std::int64_t i) const { return {indices({i})}; }
};

using Batches = std::vector<std::vector<std::int64_t>>;

data::Loader<Numbers> loader(std::int64_t count, const data::BatchShare& share, int workers = 1) {
  return data::Loader(Numbers{count},
                      {.batch_size = 2, .shuffle = true, .workers = workers, .seed = 9, .share = share});
}

/// The next `count` batches, over as many epochs as they take.
Batches take(data::Loader<Numbers>& from, std::size_t count) {
  Batches taken;
  while (taken.size() < count) {
    for (const auto& [numbers] : from) {
      const auto values = numbers.template values<std::int64_t>();
      taken.emplace_back(values.begin(), values.end());
      if (taken.size() == count) break;
    }
  }
  return taken;
}

}  // namespace

TEST_CASE("loaders with a share take the batches of one without, in the same order, over the ends of epochs") {
  // 9 batches an epoch, the last of them with one example, in updates of 4 batches.
  for (const int workers : {0, 1, 3}) {
    CAPTURE(workers);
    constexpr std::size_t updates = 18;  // 8 epochs
    auto whole = loader(17, {.of = 4, .first = 0, .count = 4}, workers);
    const Batches all = take(whole, 4 * updates);
    auto plain = loader(17, {}, workers);
    CHECK(take(plain, 4 * updates) == all);
    auto first = loader(17, {.of = 4, .first = 0, .count = 1}, workers);
    auto middle = loader(17, {.of = 4, .first = 1, .count = 1}, workers);
    auto last = loader(17, {.of = 4, .first = 2, .count = 2}, workers);
    const Batches a = take(first, updates), b = take(middle, updates), c = take(last, 2 * updates);
    for (std::size_t k = 0; k < updates; ++k) {
      CHECK(a[k] == all[4 * k]);
      CHECK(b[k] == all[4 * k + 1]);
      CHECK(c[2 * k] == all[4 * k + 2]);
      CHECK(c[2 * k + 1] == all[4 * k + 3]);
    }
  }
}

TEST_CASE("between updates every share is at the same position, and goes on from it with any other share") {
  for (const std::int64_t examples : {17, 16, 5}) {  // 9, 8 and 3 batches an epoch
    CAPTURE(examples);
    auto whole = loader(examples, {});
    const Batches all = take(whole, 40);
    for (std::size_t updates = 1; updates <= 6; ++updates) {
      CAPTURE(updates);
      auto reference = loader(examples, {});
      take(reference, 4 * updates);
      for (std::int64_t rank = 0; rank < 4; ++rank) {
        CAPTURE(rank);
        auto one = loader(examples, {.of = 4, .first = rank, .count = 1});
        take(one, updates);
        CHECK(one.state() == reference.state());
        auto pair = loader(examples, {.of = 4, .first = 2, .count = 2});
        pair.restore(one.state());
        const Batches next = take(pair, 4);
        CHECK(next[0] == all[4 * updates + 2]);
        CHECK(next[3] == all[4 * updates + 7]);
      }
    }
  }
}

TEST_CASE("after a loop that was left early, a new update begins with the next epoch") {
  auto plain = loader(17, {});
  auto second = loader(17, {.of = 2, .first = 1, .count = 1});
  Batches expected, got;
  for (const auto& [numbers] : plain) {
    expected.clear();
    if (numbers.size(0) > 0) break;
  }
  for (const auto& [numbers] : second) {
    if (numbers.size(0) > 0) break;
  }
  expected = take(plain, 2);
  got = take(second, 1);
  CHECK(got[0] == expected[1]);
}

TEST_CASE("a share must be a part of the batches") {
  for (const data::BatchShare& share :
       {data::BatchShare{.of = 4, .first = 3, .count = 2}, {.of = 4, .first = -1, .count = 1}, {.of = 4, .first = 0, .count = 0}}) {
    CHECK_THROWS_AS(loader(17, share), ValueError);
  }
  CHECK_THROWS_WITH_AS(loader(17, {.of = 4, .first = 3, .count = 2}),
                       "loader: a share of 2 batches from number 3 on, expected a part of 4", ValueError);
}
