#include <temper/core/pool.hpp>

#include <sys/mman.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

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

struct SizeClass {
  std::size_t index;
  std::size_t bytes;
};

/// Multiples of 64 up to 512, then eight classes for every doubling.
SizeClass size_class(std::size_t bytes) {
  if (bytes > (std::size_t{1} << 62)) throw std::bad_alloc();
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

/// Small blocks are cut from slabs of one huge page: thousands of small tensors then lie side by side, which spares the
/// processor as many entries of its address cache. Under AddressSanitizer each is alone, so that it sees the borders.
#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t largest_in_slab = 0;
#else
constexpr std::size_t largest_in_slab = std::size_t{32} << 10;
#endif

struct FreeBlock {
  FreeBlock* next;
};

void* system_allocate(std::size_t bytes) {
  void* block = nullptr;
  if (posix_memalign(&block, bytes >= huge_page ? huge_page : alignment, bytes) != 0) throw std::bad_alloc();
  if (bytes >= huge_page) madvise(block, bytes, MADV_HUGEPAGE);
  return block;
}

class Pool {
 public:
  void* allocate(std::size_t requested) {
    const auto [index, bytes] = size_class(requested);
    {
      const std::lock_guard lock(mutex_);
      if (FreeBlock* block = free_[index]) {
        ASAN_UNPOISON_MEMORY_REGION(block, bytes);
        free_[index] = block->next;
        stats_.cached -= bytes;
        count_live(bytes);
        return block;
      }
      if (bytes <= largest_in_slab) {
        void* block = cut(bytes);
        count_live(bytes);
        return block;
      }
    }
    void* block = system_allocate(bytes);
    const std::lock_guard lock(mutex_);
    ++stats_.system_requests;
    count_live(bytes);
    return block;
  }

  void release(void* memory, std::size_t requested) noexcept {
    const auto [index, bytes] = size_class(requested);
    const std::lock_guard lock(mutex_);
    auto* block = static_cast<FreeBlock*>(memory);
    block->next = free_[index];
    free_[index] = block;
    // All but the link, through which the leak checker finds the next block.
    ASAN_POISON_MEMORY_REGION(block + 1, bytes - sizeof(FreeBlock));
    stats_.live -= bytes;
    stats_.cached += bytes;
  }

  /// Slabs stay: their blocks cannot be returned one by one.
  void trim() {
    const std::lock_guard lock(mutex_);
    for (std::size_t index = 0; index < free_.size(); ++index) {
      const std::size_t bytes = class_bytes(index);
      if (bytes <= largest_in_slab) continue;
      while (free_[index] != nullptr) {
        FreeBlock* block = std::exchange(free_[index], free_[index]->next);
        stats_.cached -= bytes;
        std::free(block);
      }
    }
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
  void count_live(std::size_t bytes) {
    stats_.live += bytes;
    if (stats_.live > stats_.peak) stats_.peak = stats_.live;
  }

  void* cut(std::size_t bytes) {
    if (left_ < bytes) {
      slab_ = static_cast<std::byte*>(system_allocate(huge_page));
      left_ = huge_page;
      ++stats_.system_requests;
    }
    left_ -= bytes;
    return std::exchange(slab_, slab_ + bytes);
  }

  std::mutex mutex_;
  std::array<FreeBlock*, classes> free_{};
  std::byte* slab_ = nullptr;  // what is left of the current slab
  std::size_t left_ = 0;
  PoolStats stats_;
};

/// Never destroyed: tensors in static variables may return their blocks after main.
Pool& pool() {
  alignas(Pool) static std::byte memory[sizeof(Pool)];
  static Pool* instance = new (memory) Pool;
  return *instance;
}

}  // namespace

PoolStats pool_stats() { return pool().stats(); }
void reset_pool_peak() { pool().reset_peak(); }
void trim_pool() { pool().trim(); }

namespace detail {
void* pool_allocate(std::size_t bytes) { return pool().allocate(bytes); }
void pool_release(void* block, std::size_t bytes) noexcept { pool().release(block, bytes); }
}  // namespace detail

}  // namespace temper
