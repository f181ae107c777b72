#include "optim/plan_internal.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

using temper::optim::detail::piece_size;
using temper::optim::detail::Plan;

namespace {

/// Checks that the items cover every element of every tensor exactly once and in order.
void check_covers(const std::vector<std::int64_t>& sizes, std::int64_t team) {
  Plan plan;
  plan.assign(sizes);
  std::int64_t tensor = -1, end = 0, pieces = 0;
  const auto finish = [&](std::int64_t next) {
    if (tensor >= 0) REQUIRE(end == sizes[static_cast<std::size_t>(tensor)]);
    for (++tensor; tensor < next; ++tensor) REQUIRE(sizes[static_cast<std::size_t>(tensor)] == 0);
    end = 0;
  };
  for (std::int64_t thread = 0; thread < team; ++thread) {
    plan.each(plan.items() * thread / team, plan.items() * (thread + 1) / team,
              [&](std::int64_t now, std::int64_t first, std::int64_t last, std::int64_t piece) {
                if (now != tensor) finish(now);
                REQUIRE(now == tensor);
                REQUIRE(first == end);
                REQUIRE(first % 64 == 0);
                REQUIRE(last > first);
                REQUIRE(last - first <= piece_size);
                REQUIRE(piece == pieces++);
                end = last;
              });
  }
  finish(static_cast<std::int64_t>(sizes.size()));
  REQUIRE(pieces == plan.pieces());
}

}  // namespace

TEST_CASE("a plan covers every element once") {
  std::mt19937 random(1);
  check_covers({}, 2);
  check_covers({0, 0}, 2);
  for (int i = 0; i < 2000; ++i) {
    std::vector<std::int64_t> sizes(random() % 40);
    for (std::int64_t& size : sizes) {
      switch (random() % 5) {
        case 0: size = 0; break;
        case 1: size = static_cast<std::int64_t>(random() % 100); break;
        case 2: size = piece_size - 2 + static_cast<std::int64_t>(random() % 5); break;
        case 3: size = static_cast<std::int64_t>(random() % 3000); break;
        default: size = static_cast<std::int64_t>(random() % 100000); break;
      }
    }
    check_covers(sizes, 1 + random() % 5);
  }
}

TEST_CASE("sizes up to 2^40: first, last and random items") {
  std::mt19937_64 random(2);
  Plan plan;
  for (int i = 0; i < 100000; ++i) {
    const std::int64_t size = 1 + static_cast<std::int64_t>(random() >> (24 + random() % 40));
    const std::int64_t before = 1 + static_cast<std::int64_t>(random() % 20000);
    const std::int64_t sizes[] = {before, size, 7};
    plan.assign(sizes);
    REQUIRE(plan.pieces() == (before + piece_size - 1) / piece_size + (size + piece_size - 1) / piece_size + 1);
    for (const std::int64_t item : {std::int64_t{0}, plan.items() - 1,
                                    static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(plan.items()))}) {
      std::int64_t calls = 0;
      plan.each(item, item + 1, [&](std::int64_t tensor, std::int64_t begin, std::int64_t end, std::int64_t piece) {
        ++calls;
        REQUIRE((tensor >= 0 && tensor < 3));
        REQUIRE((begin >= 0 && begin < end && end <= sizes[tensor]));
        REQUIRE(begin % piece_size == 0);
        REQUIRE((end - begin == piece_size || end == sizes[tensor]));
        REQUIRE((piece >= 0 && piece < plan.pieces()));
      });
      REQUIRE(calls >= 1);
    }
  }
}

TEST_CASE("small tensors are packed into items, and items have similar sizes") {
  Plan plan;
  plan.assign(std::vector<std::int64_t>(4000, 768));
  CHECK(plan.pieces() == 4000);
  CHECK(plan.items() == (4000 + 8) / 9);
  plan.assign(std::vector<std::int64_t>{piece_size * 10});
  CHECK(plan.items() == 10);
}
