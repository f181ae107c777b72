#include <doctest/doctest.h>

#include <omp.h>

#include <atomic>
#include <stdexcept>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>

using namespace temper;

namespace {

struct Restore {
  int count = threads();
  ~Restore() { set_threads(count); }
};

}  // namespace

TEST_CASE("every element is visited once, in chunks that do not depend on the threads") {
  const Restore restore;
  for (const int count : {1, 2, 3, 4}) {
    set_threads(count);
    for (const std::int64_t n : {0, 1, 7, 8, 9, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<std::size_t>(n));
      std::vector<std::int64_t> starts(static_cast<std::size_t>(chunk_count(n, 8)), -1);
      parallel_chunks(n, 8, [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
        starts[static_cast<std::size_t>(chunk)] = begin;
        for (std::int64_t i = begin; i < end; ++i) ++visits[static_cast<std::size_t>(i)];
      });
      for (const auto& visit : visits) CHECK(visit == 1);
      for (std::size_t c = 0; c < starts.size(); ++c) CHECK(starts[c] == static_cast<std::int64_t>(8 * c));
    }
  }
}

TEST_CASE("several threads take part, one inside a SerialScope") {
  const Restore restore;
  set_threads(3);
  std::atomic<int> most{0};
  const auto body = [&](std::int64_t, std::int64_t) {
    int size = omp_get_num_threads(), known = most;
    while (size > known && !most.compare_exchange_weak(known, size)) {
    }
  };
  parallel_for(100, 1, body);
  CHECK(most == 3);
  most = 0;
  {
    const detail::SerialScope serial;
    parallel_for(100, 1, body);
  }
  CHECK(most == 1);
}

TEST_CASE("an exception in a body reaches the caller") {
  const Restore restore;
  for (const int count : {1, 2}) {
    set_threads(count);
    CHECK_THROWS_WITH_AS(parallel_for(10, 1,
                                      [](std::int64_t begin, std::int64_t) {
                                        if (begin == 7) throw std::runtime_error("seven");
                                      }),
                         "seven", std::runtime_error);
  }
}

TEST_CASE("set_threads throws for invalid numbers") {
  const std::string expected = "threads, expected 1 to " + std::to_string(max_threads());
  CHECK_THROWS_WITH_AS(set_threads(0), ("set_threads: 0 " + expected).c_str(), ValueError);
  CHECK_THROWS_WITH_AS(set_threads(100000), ("set_threads: 100000 " + expected).c_str(), ValueError);
}

TEST_CASE("a team of threads makes several passes over its work in one parallel region") {
  const Restore restore;
  for (const int count : {1, 3}) {
    set_threads(count);
    for (const bool alone : {false, true}) {
      std::atomic<int> arrived{0}, wrong{0};
      int between = 0;
      parallel_team(alone, [&](const Team& team) {
        ++arrived;
        team.between_passes([&] {
          ++between;
          if (arrived != (alone ? 1 : count)) ++wrong;
        });
        if (between != 1) ++wrong;
        if (team.size() != (alone ? 1 : count)) ++wrong;
      });
      CHECK(between == 1);
      CHECK(wrong == 0);
    }
    CHECK_THROWS_WITH_AS(parallel_team(false, [](const Team&) { throw std::runtime_error("out"); }), "out",
                         std::runtime_error);
  }
}
