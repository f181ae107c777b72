#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include <temper/core/buffer.hpp>
#include <temper/core/pool.hpp>

using namespace temper;

TEST_CASE("blocks are aligned, large enough and used again") {
  for (std::size_t bytes : {std::size_t{1}, std::size_t{64}, std::size_t{65}, std::size_t{512}, std::size_t{513},
                            std::size_t{1000}, std::size_t{4097}, std::size_t{1} << 20, (std::size_t{3} << 20) + 1}) {
    CAPTURE(bytes);
    void* first = detail::pool_allocate(bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(first) % 64 == 0);
    std::memset(first, 0xab, bytes);
    detail::pool_release(first, bytes);
    const std::uint64_t requests = pool_stats().system_requests;
    void* second = detail::pool_allocate(bytes);
    CHECK(second == first);
    CHECK(pool_stats().system_requests == requests);
    detail::pool_release(second, bytes);
  }
}

TEST_CASE("rounding up never gives less than was asked, nor much more") {
  for (std::size_t bytes = 1; bytes < 70000; bytes += 13) {
    const std::size_t before = pool_stats().live;
    void* block = detail::pool_allocate(bytes);
    const std::size_t given = pool_stats().live - before;
    detail::pool_release(block, bytes);
    REQUIRE(given >= bytes);
    REQUIRE(given <= bytes + bytes / 8 + 64);
  }
}

TEST_CASE("statistics add up, and trimming empties the cache") {
  const PoolStats before = pool_stats();
  {
    const detail::Buffer buffer(std::size_t{1} << 20);
    CHECK(pool_stats().live >= before.live + (std::size_t{1} << 20));
    CHECK(pool_stats().peak >= pool_stats().live);
  }
  CHECK(pool_stats().live == before.live);
  const std::size_t cached = pool_stats().cached;
  trim_pool();
  CHECK(pool_stats().cached + (std::size_t{1} << 20) <= cached);
  CHECK(pool_stats().live == before.live);
  reset_pool_peak();
  CHECK(pool_stats().peak == pool_stats().live);
}

TEST_CASE("blocks may be returned by another thread") {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 2000; ++i) {
        std::vector<detail::Buffer> buffers;
        for (std::size_t bytes = 64; bytes < 5000; bytes *= 3) buffers.emplace_back(bytes);
        std::thread::id self = std::this_thread::get_id();
        for (const detail::Buffer& buffer : buffers) std::memcpy(buffer.data(), &self, sizeof self);
        for (const detail::Buffer& buffer : buffers) REQUIRE(std::memcmp(buffer.data(), &self, sizeof self) == 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}
