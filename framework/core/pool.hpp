#pragma once

#include <cstddef>
#include <cstdint>

namespace temper {

/// What the memory pool holds, in bytes. Tensors come from it, and all scratch memory that grows with their sizes.
struct PoolStats {
  std::size_t live = 0;               ///< in use now, each request rounded up to its size class
  std::size_t cached = 0;             ///< returned, kept for the next request
  std::size_t held = 0;               ///< taken from the system and not yet returned to it
  std::size_t peak = 0;               ///< the maximum of `live` since reset_pool_peak
  std::uint64_t system_requests = 0;  ///< how often memory was asked of the system
};

/// The pool holds at most twice the maximum of `live`, and one huge page (2 MiB): beyond that, the least recently used
/// blocks are returned to the system before more is taken from it.
PoolStats pool_stats();

/// Starts counting `peak` anew from what is live now.
void reset_pool_peak();

/// Returns to the system what is kept for later use: all cached blocks of the pool, and of the calling thread the
/// memory of ended tapes and the compiled primitives, which are compiled again when they are needed again. The limit of
/// pool_stats() counts from what is live now.
void trim_pool();

namespace detail {

/// A block of the pool, 64-byte aligned, with its size.
struct PoolBlock {
  void* memory;
  std::size_t bytes;
};

/// Requests up to this size get a block of their own size class, never a larger one.
inline constexpr std::size_t largest_exact_block = std::size_t{32} << 10;

/// A block of at least `bytes`, not cleared. Released blocks are kept by size and handed out again, to requests down to
/// half their size: the page faults of a fresh large block cost ten times as much as writing it.
/// Throws: OutOfMemoryError when the system has none, even after all cached blocks were returned to it.
PoolBlock pool_allocate(std::size_t bytes);

/// Returns a block; `requested` is what was passed to pool_allocate. Any thread may return any block.
void pool_release(PoolBlock block, std::size_t requested) noexcept;

/// Registers a function that trim_pool() calls to free what the calling thread keeps. For a few callers, each of which
/// registers once in a process.
void trim_with_pool(void (*trim)());

}  // namespace detail
}  // namespace temper
