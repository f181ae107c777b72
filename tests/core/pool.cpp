#include <doctest/doctest.h>

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include <temper/core/buffer.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/pool.hpp>

using namespace temper;
using detail::Buffer;

namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;

}  // namespace

TEST_CASE("blocks are aligned, large enough and used again") {
  for (std::size_t bytes : {std::size_t{1}, std::size_t{64}, std::size_t{65}, std::size_t{512}, std::size_t{513},
                            std::size_t{1000}, std::size_t{4097}, mebibyte, 3 * mebibyte + 1}) {
    CAPTURE(bytes);
    const detail::PoolBlock first = detail::pool_allocate(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(first.memory) % 64 == 0);
    CHECK(first.bytes >= bytes);
    std::memset(first.memory, 0xab, bytes);
    detail::pool_release(first, bytes);
    const std::uint64_t requests = pool_stats().system_requests;
    const detail::PoolBlock second = detail::pool_allocate(bytes);
    CHECK(second.memory == first.memory);
    CHECK(pool_stats().system_requests == requests);
    detail::pool_release(second, bytes);
  }
}

TEST_CASE("size classes are at least the requested size, and not much larger") {
  for (std::size_t bytes = 1; bytes < 70000; bytes += 13) {
    trim_pool();
    const std::size_t before = pool_stats().live;
    const detail::PoolBlock block = detail::pool_allocate(bytes);
    const std::size_t counted = pool_stats().live - before;
    detail::pool_release(block, bytes);
    REQUIRE(counted >= bytes);
    REQUIRE(counted <= bytes + bytes / 8 + 64);
    REQUIRE(block.bytes == counted);
    REQUIRE(pool_stats().live == before);
  }
}

TEST_CASE("statistics add up, and trimming empties the cache") {
  const PoolStats before = pool_stats();
  {
    const Buffer buffer(mebibyte);
    CHECK(pool_stats().live >= before.live + mebibyte);
    CHECK(pool_stats().peak >= pool_stats().live);
  }
  CHECK(pool_stats().live == before.live);
  const std::size_t cached = pool_stats().cached;
  trim_pool();
  CHECK(pool_stats().cached + mebibyte <= cached);
  CHECK(pool_stats().live == before.live);
  reset_pool_peak();
  CHECK(pool_stats().peak == pool_stats().live);
}

TEST_CASE("blocks may be returned by another thread") {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 2000; ++i) {
        std::vector<Buffer> buffers;
        for (std::size_t bytes = 64; bytes < 5000; bytes *= 3) buffers.emplace_back(bytes);
        std::thread::id self = std::this_thread::get_id();
        for (const Buffer& buffer : buffers) std::memcpy(buffer.data(), &self, sizeof self);
        for (const Buffer& buffer : buffers) REQUIRE(std::memcmp(buffer.data(), &self, sizeof self) == 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("a request is served by a block of up to twice its size before the system is asked") {
  trim_pool();
  const std::byte* large = Buffer(8 * mebibyte).data();
  const PoolStats before = pool_stats();
  CHECK(Buffer(5 * mebibyte).data() == large);
  CHECK(Buffer(8 * mebibyte).data() == large);
  CHECK(pool_stats().system_requests == before.system_requests);
  CHECK(pool_stats().live == before.live);
  CHECK(pool_stats().cached == before.cached);
  CHECK(pool_stats().held == before.held);
  CHECK(Buffer(3 * mebibyte).data() != large);
  CHECK(pool_stats().system_requests == before.system_requests + 1);
  // The smallest block that is large enough.
  trim_pool();
  Buffer smaller(6 * mebibyte), larger(7 * mebibyte);
  const std::byte* const at = smaller.data();
  smaller = Buffer();
  larger = Buffer();
  CHECK(Buffer(4 * mebibyte).data() == at);
  trim_pool();
}

namespace {

constexpr int lengths = 128, requests_of_a_step = 44;

/// Allocates as a training step on a text of this length does: saved activations and temporaries.
void step(std::int64_t length) {
  const auto rows = static_cast<std::size_t>(length) * 8;
  std::vector<Buffer> kept;
  for (int layer = 0; layer < 4; ++layer) {
    for (const std::size_t width : {256, 768, 256, 1024, 1024}) kept.emplace_back(rows * width);
    const Buffer scores(static_cast<std::size_t>(length * length) * 8);
  }
  while (!kept.empty()) {
    const Buffer gradient(kept.back().bytes());
    kept.pop_back();
  }
}

/// Steps of 128 lengths, in four orders. The share of the last steps' requests that went to the system.
double share_of_the_system(unsigned seed, const std::function<void()>& after_step) {
  std::mt19937 random(seed);
  std::vector<std::int64_t> order(lengths);
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(4 * i + 4);
  std::uint64_t before = 0;
  for (int pass = 0; pass < 4; ++pass) {
    std::shuffle(order.begin(), order.end(), random);
    before = pool_stats().system_requests;
    for (const std::int64_t length : order) {
      step(length);
      after_step();
    }
  }
  return static_cast<double>(pool_stats().system_requests - before) / (lengths * requests_of_a_step);
}

}  // namespace

TEST_CASE("the pool holds at most twice the peak in use, and serves nearly all requests once all sizes have occurred") {
  for (const unsigned seed : {1u, 2u, 3u, 4u}) {
    trim_pool();
    reset_pool_peak();
    std::size_t most = 0;
    const double share = share_of_the_system(seed, [&] {
      const PoolStats stats = pool_stats();
      most = std::max(most, stats.peak);
      REQUIRE(stats.held <= 2 * most + 2 * mebibyte);
      REQUIRE(stats.live + stats.cached <= stats.held);
      reset_pool_peak();
    });
    CHECK(share < 0.03);
  }
  trim_pool();
}

TEST_CASE("after trimming, the pool keeps as much again as is in use") {
  step(4 * lengths);
  for (const unsigned seed : {1u, 2u}) {
    trim_pool();  // the peak before is not forgotten, but the limit begins anew
    CHECK(share_of_the_system(seed, [] {}) < 0.03);
  }
  trim_pool();
}

TEST_CASE("allocations and releases in random order: no two blocks overlap, and the pool stays within its limit") {
  trim_pool();
  std::mt19937 random(2);
  struct Owned {
    Buffer buffer;
    unsigned char mark;
  };
  std::vector<Owned> owned;
  std::size_t most = pool_stats().live;
  for (int i = 0; i < 6000; ++i) {
    if (owned.size() < 40 && random() % 5 < 3) {
      const std::size_t bytes = std::size_t{1} << (random() % 22);
      Owned fresh{Buffer(bytes + random() % bytes), static_cast<unsigned char>(random())};
      std::memset(fresh.buffer.data(), fresh.mark, fresh.buffer.bytes());
      owned.push_back(std::move(fresh));
    } else if (!owned.empty()) {
      const std::size_t which = random() % owned.size();
      std::swap(owned[which], owned.back());
      const Buffer& buffer = owned.back().buffer;
      const auto same = [&](std::byte byte) { return std::to_integer<unsigned char>(byte) == owned.back().mark; };
      REQUIRE(std::all_of(buffer.data(), buffer.data() + buffer.bytes(), same));
      owned.pop_back();
    }
    const PoolStats stats = pool_stats();
    most = std::max(most, stats.live);
    REQUIRE(stats.live + stats.cached <= stats.held);
    REQUIRE(stats.held <= 2 * most + 2 * mebibyte);
    if (i % 1000 == 999) trim_pool(), most = pool_stats().live;
  }
  owned.clear();
  trim_pool();
}

TEST_CASE("trimming releases small blocks too, except those in a slab with blocks in use") {
  trim_pool();
  const PoolStats before = pool_stats();
  std::vector<Buffer> small;
  for (int i = 0; i < 100000; ++i) small.emplace_back(std::size_t{64});
  CHECK(pool_stats().held >= before.held + 100000 * 128);
  Buffer one = small[500];
  small.clear();
  small.shrink_to_fit();
  std::memset(one.data(), 7, one.bytes());
  trim_pool();
  CHECK(pool_stats().held <= before.held + 2 * mebibyte);
  CHECK(one.data()[63] == std::byte{7});
  one = Buffer();
  for (int i = 0; i < 1000; ++i) small.emplace_back(std::size_t{64});
  small.clear();
  trim_pool();
  CHECK(pool_stats().held <= before.held);
}

TEST_CASE("a request beyond the system's memory throws with its size, and the pool stays usable") {
  const PoolStats before = pool_stats();
  const auto text = [](std::size_t bytes) -> std::string {
    try {
      const Buffer buffer(bytes);
    } catch (const OutOfMemoryError& error) {
      return error.what();
    }
    return "nothing";
  };
  CHECK(text((std::size_t{1} << 50) - 64).starts_with("not enough memory: 1125899906842624 bytes (1.0 PiB) wanted, "));
  CHECK(text(~std::size_t{0}).starts_with("not enough memory: 18446744073709551615 bytes (16.0 EiB) wanted, "));
  CHECK(pool_stats().live == before.live);
  CHECK(pool_stats().held <= before.held);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their own memory counts towards the limit
TEST_CASE("the pool releases its cached blocks to the system before a request fails") {
  trim_pool();
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit before{};
  getrlimit(RLIMIT_AS, &before);
  const rlimit limit{pages * 4096 + 400 * mebibyte, before.rlim_max};
  setrlimit(RLIMIT_AS, &limit);
  const auto served = [](std::size_t bytes) {
    try {
      const Buffer buffer(bytes);
      return true;
    } catch (const OutOfMemoryError&) {
      return false;
    }
  };
  std::vector<Buffer> many;
  for (int i = 0; i < 30; ++i) many.emplace_back(10 * mebibyte);
  CHECK_FALSE(served(250 * mebibyte));
  many.clear();
  CHECK(pool_stats().cached >= 300 * mebibyte);
  CHECK(served(250 * mebibyte));
  CHECK_FALSE(served(500 * mebibyte));
  setrlimit(RLIMIT_AS, &before);
  CHECK(served(500 * mebibyte));
  trim_pool();
}
#endif
