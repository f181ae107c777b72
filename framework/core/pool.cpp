#include <temper/core/pool.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <new>
#include <utility>

#include "framework/core/format_internal.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) (static_cast<void>(address), static_cast<void>(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) (static_cast<void>(address), static_cast<void>(size))
#endif

namespace temper {

namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t steps_per_doubling = 8;  // wastes 6% on average, an eighth at most
constexpr std::size_t largest_request = std::size_t{1} << 60;

struct SizeClass {
  std::size_t index;
  std::size_t bytes;
};

/// Multiples of 64 up to 512, then eight classes for every doubling.
SizeClass size_class(std::size_t bytes) {
  bytes = std::min(bytes, largest_request);  // no system has more
  if (bytes <= steps_per_doubling * alignment) {
    const std::size_t units = bytes == 0 ? 1 : (bytes + alignment - 1) / alignment;
    return {units - 1, units * alignment};
  }
  const std::size_t doubling = static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;
  const std::size_t step = (std::size_t{1} << doubling) / steps_per_doubling;
  const std::size_t steps = (bytes - (std::size_t{1} << doubling) + step - 1) / step;
  return {steps_per_doubling * (doubling - 8) + steps - 1, (std::size_t{1} << doubling) + steps * step};
}

/// The size of the blocks of a class.
std::size_t class_bytes(std::size_t index) {
  if (index < steps_per_doubling) return (index + 1) * alignment;
  const std::size_t whole = std::size_t{1} << (index / steps_per_doubling + 8);
  return whole + (index % steps_per_doubling + 1) * (whole / steps_per_doubling);
}
constexpr std::size_t classes = steps_per_doubling * 54;

/// Small blocks are cut from slabs of one huge page, so that thousands of small tensors share one TLB entry. Under
/// AddressSanitizer each is allocated by itself, so that it detects accesses past its end.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t largest_in_slab = 0;
constexpr bool maps_large_blocks = false;  // AddressSanitizer does not check memory from mmap
#else
constexpr std::size_t largest_in_slab = detail::largest_exact_block;
constexpr bool maps_large_blocks = true;
#endif

struct FreeBlock {
  FreeBlock* next;
};

/// The header of a slab.
struct Slab {
  Slab* next;
  std::size_t cut;   // bytes cut into blocks
  std::size_t free;  // bytes of these in free blocks, as trim_slabs counted them last
};

/// Null when the system has none. Large blocks are mapped one by one, because free() may keep memory in the process.
void* system_allocate(std::size_t bytes) {
  if (!maps_large_blocks || bytes < huge_page) {
    void* block = nullptr;
    return posix_memalign(&block, alignment, bytes) == 0 ? block : nullptr;
  }
  // One huge page more than needed, so that the block can begin at a huge page's boundary; the rest is unmapped.
  const std::size_t mapped = bytes + huge_page;
  void* region = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (region == MAP_FAILED) return nullptr;
  auto* const begin = static_cast<std::byte*>(region);
  const std::size_t before = (huge_page - reinterpret_cast<std::uintptr_t>(begin) % huge_page) % huge_page;
  if (before > 0) munmap(begin, before);
  munmap(begin + before + bytes, huge_page - before);
  madvise(begin + before, bytes, MADV_HUGEPAGE);
  return begin + before;
}

void system_release(void* block, std::size_t bytes) {
  if (!maps_large_blocks || bytes < huge_page) {
    std::free(block);
  } else {
    munmap(block, bytes);
  }
}

std::string text_of(std::size_t bytes) {
  constexpr std::array units = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  double amount = static_cast<double>(bytes);
  for (; amount >= 1024.0 && unit + 1 < units.size(); ++unit) amount /= 1024.0;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{} bytes ({:.1f} {})", bytes, amount, units[unit]);
}

class Pool {
 public:
  detail::PoolBlock allocate(std::size_t requested) {
    const auto [index, bytes] = size_class(requested);
    const std::lock_guard lock(mutex_);
    detail::PoolBlock block{nullptr, bytes};
    if (free_[index] != nullptr) {
      block.memory = pop(index, bytes);
    } else {
      block = allocate_new(index, bytes);
      if (block.memory == nullptr) throw_out_of_memory(requested);
    }
    last_use_[index] = ++uses_;
    stats_.live += bytes;
    stats_.peak = std::max(stats_.peak, stats_.live);
    peak_since_trim_ = std::max(peak_since_trim_, stats_.live);
    return block;
  }

  void release(detail::PoolBlock block, std::size_t requested) noexcept {
    const SizeClass counted = size_class(requested);
    const auto [index, bytes] = counted.bytes >= block.bytes ? counted : size_class(block.bytes);
    const std::lock_guard lock(mutex_);
    auto* const entry = static_cast<FreeBlock*>(block.memory);
    entry->next = free_[index];
    free_[index] = entry;
    // All but the link, which LeakSanitizer follows to find the next block.
    ASAN_POISON_MEMORY_REGION(entry + 1, bytes - sizeof(FreeBlock));
    stats_.live -= counted.bytes;
    stats_.cached += bytes;
  }

  void trim() {
    const std::lock_guard lock(mutex_);
    empty_cache();
    peak_since_trim_ = stats_.live;
  }

  PoolStats stats() {
    const std::lock_guard lock(mutex_);
    return stats_;
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak = stats_.live;
  }

 private:
  [[noreturn]] void throw_out_of_memory(std::size_t requested) {
    fail<OutOfMemoryError>("not enough memory: {} wanted, beside {} in use", text_of(requested), text_of(stats_.live));
  }

  /// A block for a class that has no free one: cut from a slab if it is small; else a free block of a larger class, up
  /// to twice the size; else memory of the system.
  detail::PoolBlock allocate_new(std::size_t index, std::size_t bytes) {
    if (bytes <= largest_in_slab) return {cut_from_slab(bytes), bytes};
    if (bytes > detail::largest_exact_block) {
      for (std::size_t i = index + 1; i <= index + steps_per_doubling; ++i) {
        if (free_[i] == nullptr) continue;
        last_use_[i] = uses_;
        const std::size_t size = class_bytes(i);
        return {pop(i, size), size};
      }
    }
    return {from_system(bytes), bytes};
  }

  void* pop(std::size_t index, std::size_t bytes) {
    FreeBlock* const block = free_[index];
    ASAN_UNPOISON_MEMORY_REGION(block, bytes);
    free_[index] = block->next;
    stats_.cached -= bytes;
    return block;
  }

  void* cut_from_slab(std::size_t bytes) {
    if (slab_left_ < bytes) {
      if (over_limit(huge_page)) trim_slabs();
      void* const memory = from_system(huge_page);
      if (memory == nullptr) return nullptr;
      slabs_ = new (memory) Slab{slabs_, 0, 0};
      slab_rest_ = static_cast<std::byte*>(memory) + alignment;
      slab_left_ = huge_page - alignment;
    }
    slab_left_ -= bytes;
    slabs_->cut += bytes;
    return std::exchange(slab_rest_, slab_rest_ + bytes);
  }

  /// Memory of the system, after making room for it; null when there is none.
  void* from_system(std::size_t bytes) {
    while (over_limit(bytes) && evict_oldest()) {
    }
    void* memory = system_allocate(bytes);
    if (memory == nullptr) {
      empty_cache();
      memory = system_allocate(bytes);
    }
    if (memory == nullptr) return nullptr;
    ++stats_.system_requests;
    stats_.held += bytes;
    return memory;
  }

  /// Whether the pool would hold more than twice the peak of live bytes. A block serves requests down to half its size,
  /// so the blocks in use alone never exceed that.
  bool over_limit(std::size_t bytes) const {
    return stats_.held + bytes > 2 * std::max(peak_since_trim_, stats_.live + bytes) + huge_page;
  }

  /// Gives back a large block of the class that was used longest ago. False when there is none.
  bool evict_oldest() {
    std::size_t oldest = classes;
    for (std::size_t i = size_class(largest_in_slab + 1).index; i < classes; ++i) {
      if (free_[i] != nullptr && (oldest == classes || last_use_[i] < last_use_[oldest])) oldest = i;
    }
    if (oldest == classes) return false;
    const std::size_t bytes = class_bytes(oldest);
    system_release(pop(oldest, bytes), bytes);
    stats_.held -= bytes;
    return true;
  }

  void empty_cache() {
    while (evict_oldest()) {
    }
    trim_slabs();
  }

  static Slab* slab_of(const FreeBlock* block) {
    return reinterpret_cast<Slab*>(reinterpret_cast<std::uintptr_t>(block) / huge_page * huge_page);
  }

  /// Gives back the slabs that no block in use lies in.
  void trim_slabs() {
    if (slabs_ == nullptr) return;
    const std::size_t end = size_class(largest_in_slab).index + 1;
    for (Slab* slab = slabs_; slab != nullptr; slab = slab->next) slab->free = 0;
    for (std::size_t i = 0; i < end; ++i) {
      for (FreeBlock* block = free_[i]; block != nullptr; block = block->next) slab_of(block)->free += class_bytes(i);
    }
    for (std::size_t i = 0; i < end; ++i) {
      for (FreeBlock** link = &free_[i]; *link != nullptr;) {
        const Slab* const slab = slab_of(*link);
        if (slab->free == slab->cut) {
          *link = (*link)->next;
          stats_.cached -= class_bytes(i);
        } else {
          link = &(*link)->next;
        }
      }
    }
    if (slabs_->free == slabs_->cut) slab_left_ = 0;  // the slab that is being cut is released, too
    for (Slab** link = &slabs_; *link != nullptr;) {
      Slab* const slab = *link;
      if (slab->free == slab->cut) {
        *link = slab->next;
        system_release(slab, huge_page);
        stats_.held -= huge_page;
      } else {
        link = &slab->next;
      }
    }
  }

  std::mutex mutex_;
  std::array<FreeBlock*, classes> free_{};
  std::array<std::uint64_t, classes> last_use_{};  // the value of uses_ when the class was used last
  std::uint64_t uses_ = 0;
  Slab* slabs_ = nullptr;           // the one that is being cut comes first
  std::byte* slab_rest_ = nullptr;  // its uncut rest, of slab_left_ bytes
  std::size_t slab_left_ = 0;
  std::size_t peak_since_trim_ = 0;  // of live bytes; reset_peak() does not change it
  PoolStats stats_;
};

/// Never destroyed: tensors in static variables may return their blocks after main.
Pool& pool() {
  alignas(Pool) static std::byte memory[sizeof(Pool)];
  static Pool* instance = new (memory) Pool;
  return *instance;
}

constinit std::array<std::atomic<void (*)()>, 4> trimmers{};

}  // namespace

PoolStats pool_stats() { return pool().stats(); }
void reset_pool_peak() { pool().reset_peak(); }

void trim_pool() {
  for (const auto& slot : trimmers) {
    if (const auto trim = slot.load()) trim();
  }
  pool().trim();
}

namespace detail {

PoolBlock pool_allocate(std::size_t bytes) { return pool().allocate(bytes); }
void pool_release(PoolBlock block, std::size_t requested) noexcept { pool().release(block, requested); }

void trim_with_pool(void (*trim)()) {
  for (auto& slot : trimmers) {
    void (*none)() = nullptr;
    if (slot.compare_exchange_strong(none, trim) || none == trim) return;
  }
  fail<Error>("trim_with_pool: more than {} callers", trimmers.size());
}

}  // namespace detail

}  // namespace temper
