#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace temper::detail {

/// A reference-counted block of the pool. Its header lies in the block's first 64 bytes, so a buffer costs one request
/// to the pool, and no allocation once the pool holds a block of its size.
class Buffer {
 public:
  Buffer() noexcept = default;
  /// Uninitialized, 64-byte aligned. Throws: OutOfMemoryError.
  explicit Buffer(std::size_t bytes);
  Buffer(const Buffer& other) noexcept : header_(other.header_) {
    if (header_) header_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Buffer(Buffer&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Buffer& operator=(Buffer other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~Buffer() {
    if (header_ && header_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) release();
  }

  explicit operator bool() const { return header_ != nullptr; }
  std::byte* data() const { return reinterpret_cast<std::byte*>(header_ + 1); }
  std::size_t bytes() const { return header_->bytes; }
  /// Whether this is the only handle.
  bool unique() const { return header_->references.load(std::memory_order_acquire) == 1; }

  /// Number of changes in place. By it a backward function notices that a tensor it saved was modified.
  std::uint32_t version() const { return header_->version.load(std::memory_order_relaxed); }
  void bump_version() const { header_->version.fetch_add(1, std::memory_order_relaxed); }

  friend bool operator==(const Buffer& a, const Buffer& b) { return a.header_ == b.header_; }

 private:
  struct alignas(64) Header {
    std::atomic<std::uint32_t> references;
    std::atomic<std::uint32_t> version;  // several threads may fill parts of one tensor
    std::size_t bytes;
    std::size_t block_bytes;  // of the pool's block, this header included
  };

  void release() noexcept;

  Header* header_ = nullptr;
};

}  // namespace temper::detail
