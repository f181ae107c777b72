#pragma once

#include <cstddef>
#include <cstdint>

namespace temper {

/// What the memory pool holds, in bytes. Tensors and all else that grows with their sizes come from it.
struct PoolStats {
  std::size_t live = 0;               ///< in use now, each request rounded up to its size class
  std::size_t cached = 0;             ///< returned, kept for the next request
  std::size_t held = 0;               ///< what the system gave and has not got back
  std::size_t peak = 0;               ///< the most that was live at once, since reset_pool_peak
  std::uint64_t system_requests = 0;  ///< how often memory was asked of the system
};

/// The pool holds at most twice what was live at once at some time, and one huge page (2 MiB): beyond that, blocks that
/// were not used for longest go back to the system before it is asked for more.
PoolStats pool_stats();

/// Starts counting `peak` anew from what is live now.
void reset_pool_peak();

/// Gives back to the system what is kept for later: all cached blocks of the pool, and of the calling thread the
/// memory of dead tapes and the compiled primitives. What is needed again is asked for and compiled again. What was in
/// use at the peak is forgotten: the limit of pool_stats() counts from what is live now.
void trim_pool();

namespace detail {

/// A block of the pool, 64-byte aligned, with its size.
struct PoolBlock {
  void* memory;
  std::size_t bytes;
};

/// Requests up to this size get a block of their own size class, never a larger one.
inline constexpr std::size_t largest_exact_block = std::size_t{32} << 10;

/// A block of at least `bytes`, not cleared. Blocks that come back are kept by size and handed out again, to requests
/// down to half their size: a fresh large block costs ten times the writing of it in page faults.
/// Throws: OutOfMemoryError, after all that was kept went back to the system without avail.
PoolBlock pool_allocate(std::size_t bytes);

/// Returns a block; `requested` is the number it was asked with. Any thread may return any block.
void pool_release(PoolBlock block, std::size_t requested) noexcept;

/// From here on trim_pool() calls `trim`, which gives back what the calling thread keeps. For a few callers that each
/// register once in a process.
void trim_with_pool(void (*trim)());

}  // namespace detail
}  // namespace temper
