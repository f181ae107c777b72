#include <doctest/doctest.h>

#include <atomic>
#include <numeric>
#include <string>
#include <thread>

#include <temper/distributed/distributed.hpp>

#include "framework/distributed/mpi_internal.hpp"

using namespace temper;
using namespace temper::distributed;
using namespace std::chrono_literals;

namespace {

/// What a function throws, as text; "" when it throws nothing.
template <class F>
std::string thrown(F&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("one process alone is a group") {
  Group alone;
  CHECK(alone.rank() == 0);
  CHECK(alone.size() == 1);
  CHECK(alone.neighbours() == 1);
  alone.barrier();
  CHECK(alone.broadcast(3) == 3);
  CHECK(alone.broadcast(std::string("text")) == "text");
  CHECK(alone.gather(7) == std::vector<int>{7});
  std::vector<double> values = {1, 2};
  alone.sum(values);
  CHECK(values == std::vector<double>{1, 2});
  alone.check_same({{"a", "1"}});
}

TEST_CASE("every process gets what is broadcast, gathered and summed") {
  for (const int processes : {1, 2, 3, 4, 5, 7}) {
    CAPTURE(processes);
    std::atomic<int> wrong = 0, calls = 0;
    run_threads(processes, [&](Group& group) {
      ++calls;
      const int rank = group.rank();
      const auto check = [&](bool good) { wrong += good ? 0 : 1; };
      check(group.size() == processes);
      for (int from = 0; from < processes; ++from) {
        check(group.broadcast(rank, from) == from);
        const std::string long_text(static_cast<std::size_t>(from) * 1000, 'x');
        check(group.broadcast(rank == from ? long_text : "", from) == long_text);
      }
      std::vector<int> ranks(static_cast<std::size_t>(processes));
      std::iota(ranks.begin(), ranks.end(), 0);
      check(group.gather(rank) == ranks);
      // Of different lengths, some empty.
      const std::vector<std::byte> mine(static_cast<std::size_t>(rank) * 3, static_cast<std::byte>(rank));
      const auto all = group.gather(mine);
      for (int other = 0; other < processes; ++other) {
        const auto expected =
            std::vector<std::byte>(static_cast<std::size_t>(other) * 3, static_cast<std::byte>(other));
        check(all[static_cast<std::size_t>(other)] == expected);
      }
      std::vector<double> values = {1.0, 0.1 * rank};
      group.sum(values);
      double in_order = 0;
      for (int other = 0; other < processes; ++other) in_order += 0.1 * other;
      check(values[0] == processes && values[1] == in_order);
      group.barrier();
    });
    CHECK(wrong == 0);
    CHECK(calls == processes);
  }
}

TEST_CASE("a barrier waits for the last process") {
  std::atomic<int> arrived = 0, early = 0;
  run_threads(4, [&](Group& group) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10 * group.rank()));
    ++arrived;
    group.barrier();
    early += arrived == 4 ? 0 : 1;
  });
  CHECK(early == 0);
}

TEST_CASE("the first fact that differs is named on all processes, with both ranks") {
  std::vector<std::string> texts(4);
  run_threads(4, [&](Group& group) {
    std::vector<Fact> facts = {{"the seed", "1"}, {"'head.weight'", "f32 [10, 128]"}, {"lr", "0.001"}};
    if (group.rank() == 2) facts[1].value = "f32 [10, 64]";
    if (group.rank() == 3) facts.pop_back();
    texts[static_cast<std::size_t>(group.rank())] = thrown([&] { group.check_same(facts); });
  });
  for (const std::string& text : texts) {
    CHECK(text ==
          "the processes do not train the same: on rank 0 'head.weight' is f32 [10, 128], on rank 2 'head.weight' is "
          "f32 [10, 64]");
  }
  run_threads(2, [&](Group& group) {
    const std::vector<Fact> facts = {{"a", "1"}};
    texts[static_cast<std::size_t>(group.rank())] =
        thrown([&] { group.check_same(group.rank() == 0 ? facts : std::vector<Fact>()); });
  });
  CHECK(texts[0] == "the processes do not train the same: on rank 0 a is 1, on rank 1 there is no more");
  run_threads(3, [](Group& group) { group.check_same({{"a", ""}, {"b", "2"}}); });
}

TEST_CASE("a process that does something else is noticed at once, by all that meet it") {
  std::vector<std::string> texts(2);
  run_threads(2, [&](Group& group) {
    group.doing(group.rank() == 0 ? "step 412" : "the evaluation");
    texts[static_cast<std::size_t>(group.rank())] = thrown([&] {
      group.rank() == 0 ? group.barrier()
                        : group.exchange("sum of the gradients", 0, std::as_bytes(std::span("12345678", 8)), 0, {});
    });
  });
  CHECK(texts[0] ==
        "rank 0 is in step 412 (gather), rank 1 in the evaluation (sum of the gradients); all processes must do the "
        "same");
  CHECK(contains(texts[1], "rank 1 is in the evaluation (sum of the gradients), rank 0 in step 412 (gather)"));
}

TEST_CASE("a process that stalls ends the others, with its rank and what it was doing") {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::string> texts(3);
  run_threads(
      3,
      [&](Group& group) {
        group.doing("step 1");
        group.barrier();
        group.doing("step 2");
        if (group.rank() == 1) std::this_thread::sleep_for(2500ms);
        texts[static_cast<std::size_t>(group.rank())] = thrown([&] { group.barrier(); });
      },
      {.limit = 1s});
  // Rank 0 waits for rank 2 first, which waits for rank 1.
  CHECK(contains(texts[2], "waited 1 s for rank 1 in step 2 (gather); rank 1 was last heard of in step 1 (gather)"));
  CHECK(contains(texts[0], "rank 0 waited 1 s for rank"));
  CHECK(std::chrono::steady_clock::now() - begin < 10s);
}

TEST_CASE("a process that ends early ends the others at once") {
  std::vector<std::string> texts(3);
  const auto begin = std::chrono::steady_clock::now();
  const std::string first = thrown([&] {
    run_threads(3, [&](Group& group) {
      group.doing("step 7");
      if (group.rank() == 2) throw ValueError("no such file");
      try {
        group.barrier();
      } catch (const LostError& error) {
        texts[static_cast<std::size_t>(group.rank())] = error.what();
        throw;
      }
    });
  });
  CHECK(first == "no such file");
  CHECK(contains(texts[0] + texts[1], "in step 7 (gather): rank 2 has ended"));
  CHECK(std::chrono::steady_clock::now() - begin < 10s);

  run_threads(2, [&](Group& group) {
    if (group.rank() == 1) return;
    texts[0] = thrown([&] { group.barrier(); });
    // The group is of no use any more, and says so without waiting.
    texts[1] = thrown([&] { group.barrier(); });
  });
  CHECK(contains(texts[0], "rank 1 has ended: its work is done"));
  CHECK(contains(texts[1], "rank 0: a process of the group was lost before"));
}

TEST_CASE("groups refuse what cannot be") {
  CHECK(thrown([] { Group({.limit = 0s}); }) == "Group: a limit of 0 s, expected at least 1 s");
  CHECK(thrown([] { run_threads(0, [](Group&) {}); }) == "run_threads: 0 processes, expected at least 1");
}

TEST_CASE("a launcher of MPI is recognized by the environment it makes") {
  const auto started = [](const char* name, const char* value) {
    ::setenv(name, value, 1);
    const bool result = distributed::detail::started_by_launcher();
    ::unsetenv(name);
    return result;
  };
  CHECK_FALSE(distributed::detail::started_by_launcher());
  CHECK(started("OMPI_COMM_WORLD_SIZE", "4"));
  CHECK_FALSE(started("OMPI_COMM_WORLD_SIZE", "1"));
  CHECK(started("PMI_SIZE", "2"));
  CHECK(started("PMIX_RANK", "0"));
}
