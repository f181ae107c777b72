#pragma once

// What attention and its backward share: which keys a row sees, how operands are read, and the scores of a block.

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "framework/kernels/attention.hpp"
#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels::attention_detail {

inline constexpr Index block_rows = 64;

/// One head of one sequence.
struct Head {
  Index sequence, head;
  Index rows, keys;
  Index first_row;   ///< in stats
  const bool* mask;  ///< null for none
  const float* bias;
};
Head head_of(const Attention& task, Index sequence, Index head);

/// Rows begin to begin + rows of a head, and the keys from `first_key` on that some of them see.
struct Block {
  Index begin, rows, first_key, keys;
};
Index block_count(const Head& head);
Block block_of(const Attention& task, const Head& head, Index number);

/// The keys that row `row` of a block may see if no mask hides them, counted from the block's first key.
struct Span {
  Index begin, end;
  Index size() const { return end - begin; }
};
Span seen_by(const Attention& task, const Block& block, Index row);
/// Whether anything may be hidden from a row.
bool hides(const Attention& task);

/// f(row, key, place in [rows, keys]) for every key of the block that is not hidden from a row of it.
template <class F>
void for_each_visible(const Attention& task, const Head& head, const Block& block, F f) {
  for (Index row = 0; row < block.rows; ++row) {
    const Index at = block.begin + row;
    const Span seen = seen_by(task, block, row);
    for (Index key = seen.begin; key < seen.end; ++key) {
      const Index k = block.first_key + key;
      if (head.mask != nullptr && !head.mask[at * task.mask.row_stride + k * task.mask.key_stride]) continue;
      if (head.bias != nullptr &&
          head.bias[at * task.bias.row_stride + k * task.bias.key_stride] == -__builtin_inff()) {
        continue;
      }
      f(row, key, row * block.keys + key);
    }
  }
}

/// Where the first row of a head of an operand is; `rows` to a sequence.
template <class T>
T* first_of(const Attention& task, const AttentionOperand<T>& x, Index sequence, Index head) {
  const Index start = task.offsets != nullptr ? task.offsets[sequence] * x.layout.row : sequence * x.layout.sequence;
  return x.data + start + head * x.layout.head;
}

/// Asks for a row of an operand before it is copied: its rows lie pages apart, where the CPU does not see ahead.
template <class T>
void prefetch(const T* rows, Index row, Index count, Index stride, Index width) {
  constexpr Index ahead = 8, line = 64 / sizeof(T);
  if (row + ahead >= count) return;
  for (Index i = 0; i < width; i += line) __builtin_prefetch(rows + (row + ahead) * stride + i);
}

/// One head of an operand as the products want it, row after row: where it is, or copied together.
template <class T>
class DenseRows {
 public:
  DenseRows() = default;
  DenseRows(const T* first, Index stride, Index rows, Index width) : data_(first) {
    if (stride == width) return;
    copy_ = Scratch<T>(rows * width);
    for (Index row = 0; row < rows; ++row) {
      prefetch(first, row, rows, stride, width);
      std::memcpy(copy_.row(row, width), first + row * stride, static_cast<std::size_t>(width) * sizeof(T));
    }
    data_ = copy_.data();
  }
  const T* data() const { return data_; }

 private:
  const T* data_ = nullptr;
  Scratch<T> copy_;
};

/// Where one head of a result is computed, row after row, in numbers of type Sum: in its place if that is possible,
/// else apart, from where write() puts it there, rounded if need be.
template <class Sum, class T>
class DenseResult {
 public:
  DenseResult(T* first, Index stride, Index rows, Index width)
      : first_(first), stride_(stride), rows_(rows), width_(width) {
    if (first_ == nullptr) return;
    if constexpr (std::is_same_v<Sum, T>) {
      if (stride == width) {
        data_ = first;
        return;
      }
    }
    apart_ = Scratch<Sum>(rows * width);
    data_ = apart_.data();
  }
  /// Null where the result is not wanted.
  Sum* data() const { return data_; }
  void clear() const {
    if (data_ != nullptr) std::fill_n(data_, rows_ * width_, Sum{});
  }
  void write() const;

 private:
  T* first_;
  Index stride_, rows_, width_;
  Sum* data_ = nullptr;
  Scratch<Sum> apart_;
};

/// A block's scores in float, and what the products take of them: the same numbers in the same place if T is float.
template <class T>
class BlockScores {
 public:
  explicit BlockScores(Index keys) : wide_(block_rows * keys) {
    if constexpr (!std::is_same_v<T, float>) narrow_ = Scratch<T>(block_rows * keys);
  }
  float* wide() const { return wide_.data(); }
  T* narrow() const {
    if constexpr (std::is_same_v<T, float>) {
      return wide_.data();
    } else {
      return narrow_.data();
    }
  }

 private:
  Scratch<float> wide_;
  Scratch<T> narrow_;
};

/// p [block.rows, block.keys] = the scores q k^T of a block. Without mask and bias they are not yet multiplied by the
/// scale; with them they are, and -inf where the mask hides a key. Returns what they are still to be multiplied by.
template <class T>
float block_scores(const Attention& task, const Head& head, const Block& block, const T* q, const T* k, float* p);

/// Drops some of what stands for the keys that row `row` of a block sees. Every row has random numbers of its own, so
/// the backward drops the same.
template <class T>
void drop(const Attention& task, const Head& head, const Block& block, Index row, T* line);

/// Sets to 0 what stands in a row of a block for keys that it does not see.
template <class T>
void clear_unseen(const Block& block, const Span& seen, T* line) {
  std::fill(line, line + seen.begin, T{});
  std::fill(line + seen.end, line + block.keys, T{});
}

}  // namespace temper::kernels::attention_detail
