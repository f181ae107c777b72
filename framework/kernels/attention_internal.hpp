#pragma once

// Shared by attention and its backward: which keys a row sees, how operands are read, and the scores of a block.

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <temper/core/parallel.hpp>

#include "framework/kernels/attention.hpp"
#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels::attention_detail {

inline constexpr Index block_rows = 64;
inline constexpr Index dropout_block = 64;  // elements that one block of random numbers is for

/// One head of one sequence.
struct Head {
  Index sequence, head;
  Index rows, keys;
  Index first_row;   ///< in stats
  const bool* mask;  ///< null for none
  const float* bias;
};
Head head_of(const Attention& task, Index sequence, Index head);

/// Rows begin to begin + rows of a head, and the `keys` keys from `first_key` on: those that some of the rows may see.
struct Block {
  Index begin, rows, first_key, keys;
};
Index block_count(const Head& head);
Block block_of(const Attention& task, const Head& head, Index number);

/// The keys that row `row` of a block sees unless a mask hides them, counted from the block's first key.
struct Span {
  Index begin, end;
  Index size() const { return end - begin; }
};
inline Span seen_by(const Attention& task, const Block& block, Index row) {
  const Index at = block.begin + row;
  Index first = block.first_key, last = block.first_key + block.keys;
  if (task.causal) last = std::min(last, at + 1);
  if (task.right) last = std::min(last, at + *task.right + 1);
  if (task.left) first = std::max(first, at - *task.left);
  last = std::max(last, block.first_key);
  return {std::min(first, last) - block.first_key, last - block.first_key};
}
/// Whether any key may be hidden from any row.
bool hides(const Attention& task);

/// Calls f(row, key, index in [rows, keys]) for every row and key of the block that the row sees.
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

/// The first row of a head of an operand.
template <class T>
T* first_of(const Attention& task, const AttentionOperand<T>& x, Index sequence, Index head) {
  const Index start = task.offsets != nullptr ? task.offsets[sequence] * x.layout.row : sequence * x.layout.sequence;
  return x.data + start + head * x.layout.head;
}

/// Prefetches a row that is copied soon: the rows lie pages apart, beyond which the CPU's own prefetcher stops.
template <class T>
void prefetch(const T* rows, Index row, Index count, Index stride, Index width) {
  constexpr Index ahead = 8, line = 64 / sizeof(T);
  if (row + ahead >= count) return;
  for (Index i = 0; i < width; i += line) __builtin_prefetch(rows + (row + ahead) * stride + i);
}

/// The heads that a thread works on, of `count`: its memory is then requested once, not for each head.
inline Index heads_each(Index count) { return std::max<Index>(1, chunk_count(count, threads())); }

/// Heads of an operand in dense rows, one after the other, as the products read them.
template <class T>
class DenseRows {
 public:
  /// Room for heads of up to `rows`.
  DenseRows(Index rows, Index width) : rows_(rows), width_(width) {}
  /// The head itself if it is dense, else a copy, which the next call overwrites.
  const T* read(const T* first, Index stride, Index rows) {
    if (stride == width_) return first;
    if (copy_.data() == nullptr) copy_ = Scratch<T>(rows_ * width_);
    for (Index row = 0; row < rows; ++row) {
      prefetch(first, row, rows, stride, width_);
      std::memcpy(copy_.row(row, width_), first + row * stride, static_cast<std::size_t>(width_) * sizeof(T));
    }
    return copy_.data();
  }

 private:
  Index rows_, width_;
  Scratch<T> copy_;
};

/// Memory in which heads of a result are computed, one after the other, in dense rows of type Sum: in place if the
/// result is dense and of that type, else a buffer, which write() copies and rounds to its place.
template <class Sum, class T>
class DenseResult {
 public:
  /// Room for heads of up to `rows`.
  DenseResult(Index rows, Index width) : capacity_(rows), width_(width) {}
  /// Where the head that begins at `first` is computed; null where that is null, for a result that is not wanted.
  Sum* begin(T* first, Index stride, Index rows) {
    first_ = first;
    stride_ = stride;
    rows_ = rows;
    data_ = nullptr;
    if (first == nullptr) return nullptr;
    if constexpr (std::is_same_v<Sum, T>) {
      if (stride == width_) return data_ = first;
    }
    if (buffer_.data() == nullptr) buffer_ = Scratch<Sum>(capacity_ * width_);
    return data_ = buffer_.data();
  }
  void clear() const {
    if (data_ != nullptr) std::fill_n(data_, rows_ * width_, Sum{});
  }
  void write() const;

 private:
  Index capacity_, width_;
  T* first_ = nullptr;
  Index stride_ = 0, rows_ = 0;
  Sum* data_ = nullptr;
  Scratch<Sum> buffer_;
};

/// A block's scores in float, and rounded to T for the products; if T is float, both are the same memory.
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

/// p [block.rows, block.keys] = the scores q k^T of a block. With a mask or bias, they are scaled, and -inf where the
/// mask hides a key; else they are not scaled yet. Returns the factor that is still to be applied: 1 or the scale.
template <class T>
float block_scores(const Attention& task, const Head& head, const Block& block, const T* q, const T* k, float* p);

/// Applies dropout to the keys that row `row` of a block sees. Every row has random numbers of its own, so the backward
/// drops the same elements.
template <class T>
void drop(const Attention& task, const Head& head, const Block& block, Index row, T* line) {
  const Dropping& dropping = task.dropping;
  if (dropping.threshold == 0.0f) return;
  const Index number =
      (head.first_row + block.begin + row) * chunk_count(task.keys, dropout_block) + block.first_key / dropout_block;
  table_of<T>().dropout(dropping.key.data(), dropping.nonce.data(), number, dropping.threshold, dropping.scale, line,
                        line, seen_by(task, block, row).end);
}

/// Sets the elements of a row of a block to 0 for keys outside `seen`.
template <class T>
void clear_unseen(const Block& block, const Span& seen, T* line) {
  std::fill(line, line + seen.begin, T{});
  std::fill(line + seen.end, line + block.keys, T{});
}

}  // namespace temper::kernels::attention_detail
