#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <temper/core/buffer.hpp>

namespace temper::detail {

/// A bump allocator: its memory is freed all at once, and kept for the next tape.
class Arena {
 public:
  void* allocate(std::size_t bytes) {
    bytes = (bytes + 15) / 16 * 16;
    while (current_ < chunks_.size() && used_ + bytes > chunks_[current_].bytes()) {
      ++current_;
      used_ = 0;
    }
    if (current_ == chunks_.size()) chunks_.emplace_back(std::max(bytes, chunk_bytes));
    void* memory = chunks_[current_].data() + used_;
    used_ += bytes;
    return memory;
  }

  struct Mark {
    std::size_t current = 0;
    std::size_t used = 0;
  };
  Mark mark() const { return {current_, used_}; }
  void rewind(Mark mark) {
    current_ = mark.current;
    used_ = mark.used;
  }

 private:
  static constexpr std::size_t chunk_bytes = std::size_t{64} << 10;
  std::vector<Buffer> chunks_;
  std::size_t current_ = 0;
  std::size_t used_ = 0;
};

}  // namespace temper::detail
