#pragma once

#include <cstddef>
#include <cstdint>

namespace temper {

/// What the memory pool holds, in bytes.
struct PoolStats {
  std::size_t live = 0;               ///< handed out now
  std::size_t cached = 0;             ///< returned, kept for the next request
  std::size_t peak = 0;               ///< the most that was live at once
  std::uint64_t system_requests = 0;  ///< how often memory was asked of the system
};

PoolStats pool_stats();

/// Starts counting `peak` anew from what is live now.
void reset_pool_peak();

/// Gives cached memory back to the system; small blocks, which share pages, stay.
void trim_pool();

namespace detail {

/// A block of at least `bytes`, 64-byte aligned, not cleared. Blocks that come back are kept by size and handed
/// out again: a fresh large block costs ten times the writing of it in page faults.
/// Throws: std::bad_alloc.
void* pool_allocate(std::size_t bytes);

/// Returns a block; `bytes` is the number it was asked with. Any thread may return any block.
void pool_release(void* block, std::size_t bytes) noexcept;

}  // namespace detail
}  // namespace temper
