#pragma once

// Divides the elements of a list of tensors into pieces, and these into items of work. A pure function of the sizes.

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace temper::optim::detail {

/// Elements of a piece, for some microseconds of work. A multiple of 64, so that pieces start on cache lines.
inline constexpr std::int64_t piece_size = 8192;
/// The fixed cost of a tensor, expressed as a number of elements.
inline constexpr std::int64_t tensor_overhead = 64;

/// Tensors larger than a piece are divided; consecutive small ones are packed into one item of work. Memory is
/// proportional to the number of tensors, and reused by the next plan.
class Plan {
 public:
  void assign(std::span<const std::int64_t> sizes) {
    sizes_.assign(sizes.begin(), sizes.end());
    segments_.clear();
    items_ = pieces_ = 0;
    std::int64_t weight = piece_size + 1;  // of the pack that is being filled; more than piece_size: start a new one
    for (std::int64_t tensor = 0; tensor < static_cast<std::int64_t>(sizes.size()); ++tensor) {
      const std::int64_t size = sizes[static_cast<std::size_t>(tensor)];
      const std::int64_t pieces = (size + piece_size - 1) / piece_size;
      if (pieces > 1) {
        segments_.push_back({items_, tensor, 1, pieces_});
        items_ += pieces;
        weight = piece_size + 1;
      } else if (pieces == 1 || weight <= piece_size) {
        weight += size + tensor_overhead;
        if (weight > piece_size) {
          segments_.push_back({items_++, tensor, 0, pieces_});
          weight = size + tensor_overhead;
        }
        ++segments_.back().tensors;
      }
      pieces_ += pieces;
    }
  }

  /// Number of items of work, which are of similar length.
  std::int64_t items() const { return items_; }
  /// Number of pieces of all tensors.
  std::int64_t pieces() const { return pieces_; }

  /// Calls f(tensor, begin, end, piece) for the pieces of items first to last.
  template <class F>
  void each(std::int64_t first, std::int64_t last, F f) const {
    auto segment = std::upper_bound(segments_.begin(), segments_.end(), first,
                                    [](std::int64_t item, const Segment& s) { return item < s.item; });
    while (first < last) {
      const Segment& now = *(segment - 1);
      const std::int64_t size = sizes_[static_cast<std::size_t>(now.tensor)];
      const std::int64_t next = segment == segments_.end() ? items_ : segment->item;
      if (now.tensors == 1 && size > piece_size) {
        for (; first < std::min(last, next); ++first) {
          const std::int64_t begin = (first - now.item) * piece_size;
          f(now.tensor, begin, std::min(size, begin + piece_size), now.piece + (first - now.item));
        }
      } else {
        std::int64_t piece = now.piece;
        for (std::int64_t tensor = now.tensor; tensor < now.tensor + now.tensors; ++tensor) {
          const std::int64_t n = sizes_[static_cast<std::size_t>(tensor)];
          if (n > 0) f(tensor, std::int64_t{0}, n, piece++);
        }
        ++first;
      }
      ++segment;
    }
  }

 private:
  struct Segment {
    std::int64_t item;     // index of the first
    std::int64_t tensor;   // index of the first
    std::int64_t tensors;  // 1 for a divided tensor, else the number of tensors in the item
    std::int64_t piece;    // index of the first
  };

  std::vector<std::int64_t> sizes_;
  std::vector<Segment> segments_;
  std::int64_t items_ = 0;
  std::int64_t pieces_ = 0;
};

}  // namespace temper::optim::detail
