#include "framework/kernels/attention.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include <temper/core/buffer.hpp>
#include <temper/core/parallel.hpp>

#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/matmul.hpp"

// Block by block of rows, so that the matrix of all scores never exists; under a causal mask the keys that no row of a
// block sees are left out. The backward computes the blocks again.
// Source of the backward by row sums: Dao et al., "FlashAttention" (2022).

namespace temper::kernels {

namespace {

constexpr Index block_rows = 64;

/// Rows begin to begin + rows of one matrix, and the keys they may see.
struct Block {
  Index matrix, begin, rows, keys;
};

Block block_of(const Attention& task, Index matrix, Index number) {
  const Index begin = number * block_rows, end = std::min(task.rows, begin + block_rows);
  return {matrix, begin, end - begin, task.causal ? std::min(task.keys, end) : task.keys};
}

/// Drops some of what stands for the first `seen` keys of a row. Every row has random blocks of its own, so the
/// backward drops the same.
template <class T>
void drop(const Attention& task, const Block& block, Index row, T* line, Index seen) {
  const Dropping& dropping = task.dropping;
  if (dropping.threshold == 0.0f) return;
  const Index number = (block.matrix * task.rows + block.begin + row) * chunk_count(task.keys, 64);
  table_of<T>().dropout(dropping.key.data(), dropping.nonce.data(), number, dropping.threshold, dropping.scale, line,
                        line, seen);
}

/// How many keys a row of a block sees.
Index seen_by(const Attention& task, const Block& block, Index row) {
  const Index last = block.begin + row + (mutant(Mutant::causal_sees_next) ? 1 : 0);
  return task.causal ? std::min(block.keys, last + 1) : block.keys;
}

const bool* mask_of(const Attention& task, Index matrix) {
  if (task.mask == nullptr) return nullptr;
  Index offset = 0;
  for (int axis = task.leading.rank() - 1; axis >= 0; --axis) {
    offset += matrix % task.leading[axis] * task.mask_strides[static_cast<std::size_t>(axis)];
    matrix /= task.leading[axis];
  }
  return task.mask + offset;
}

/// Room for arrays that are taken from it one after the other.
class Scratch {
 public:
  /// `numbers` in all, in up to `arrays` arrays.
  Scratch(Index numbers, Index arrays)
      : buffer_(static_cast<std::size_t>(numbers) * sizeof(float) + static_cast<std::size_t>(arrays) * alignment) {}
  template <class T>
  T* take(Index numbers) {
    const std::size_t bytes = (static_cast<std::size_t>(numbers) * sizeof(T) + alignment - 1) / alignment * alignment;
    return reinterpret_cast<T*>(buffer_.data() + std::exchange(used_, used_ + bytes));
  }
  /// Where numbers of type T go that were floats: the floats themselves, if that is what T is.
  template <class T>
  T* take_beside([[maybe_unused]] float* floats, Index numbers) {
    if constexpr (std::is_same_v<T, float>) {
      return floats;
    } else {
      return take<T>(numbers);
    }
  }

 private:
  static constexpr std::size_t alignment = 64;
  detail::Buffer buffer_;
  std::size_t used_ = 0;
};

/// Matrix number `matrix` of an operand, [rows, width].
template <class T>
T* matrix_of(T* operand, const AttentionLayout& layout, Index matrix, Index rows, Index width) {
  if (layout.heads == 0) return operand + matrix * rows * width;
  return operand + matrix / layout.heads * rows * layout.row_stride + matrix % layout.heads * width;
}

/// Asks for a row of a packed matrix before it is copied: its rows lie pages apart, where the CPU does not see ahead.
template <class T>
void prefetch(const T* matrix, Index row, Index rows, Index stride, Index width) {
  constexpr Index ahead = 8, line = 64 / sizeof(T);
  if (row + ahead >= rows) return;
  for (Index i = 0; i < width; i += line) __builtin_prefetch(matrix + (row + ahead) * stride + i);
}

/// A matrix as the products want it: its rows next to each other, copied to `space` where they are not.
template <class T>
const T* gathered(const T* matrix, const AttentionLayout& layout, Index rows, Index width, T* space) {
  if (layout.heads == 0) return matrix;
  for (Index row = 0; row < rows; ++row) {
    prefetch(matrix, row, rows, layout.row_stride, width);
    std::memcpy(space + row * width, matrix + row * layout.row_stride, static_cast<std::size_t>(width) * sizeof(T));
  }
  return space;
}

/// The way back, with rounding where T is not what is scattered.
template <class From, class T>
void scatter(const From* from, const AttentionLayout& layout, Index rows, Index width, T* matrix) {
  const Index stride = layout.heads == 0 ? width : layout.row_stride;
  for (Index row = 0; row < rows; ++row) {
    if (layout.heads > 0) prefetch(matrix, row, rows, stride, width);
    if constexpr (std::is_same_v<From, T>) {
      std::memcpy(matrix + row * stride, from + row * width, static_cast<std::size_t>(width) * sizeof(T));
    } else {
      table_of<T>().from_float(from + row * width, matrix + row * stride, width);
    }
  }
}

/// The scores q k^T of a block, not scaled. Where there is a mask, they are, and those it hides are -inf; returns by
/// what they are yet to be multiplied.
template <class T>
float scores(const Attention& task, const Block& block, const T* q, const T* k, const bool* mask, float* p) {
  matmul({.m = block.rows, .n = block.keys, .k = task.width, .transpose_b = true}, q + block.begin * task.width, k,
         nullptr, p);
  if (mask == nullptr) return task.scale;
  table().affine(p, task.scale, 0.0f, p, block.rows * block.keys);
  for (Index row = 0; row < block.rows; ++row) {
    const bool* visible = mask + (block.begin + row) * task.mask_row_stride;
    for (Index key = 0; key < block.keys; ++key) {
      if (!visible[key * task.mask_key_stride]) p[row * block.keys + key] = -std::numeric_limits<float>::infinity();
    }
  }
  return 1.0f;
}

/// What the blocks of a matrix are computed in. Of float the pairs are one array each.
template <class T>
struct Space {
  float* p;   // scores
  T* narrow;  // probabilities
  float* out = nullptr;
};

/// y and stats of one block. Returns whether some row sees no key.
template <class T>
bool attend(const Attention& task, const Block& block, const T* q, const T* k, const T* v, const bool* mask,
            const Space<T>& space, T* y, float* stats) {
  const float scale = scores(task, block, q, k, mask, space.p);
  bool blind = false;
  for (Index row = 0; row < block.rows; ++row) {
    const Index at = row * block.keys, seen = seen_by(task, block, row);
    blind = table_of<T>().exponentials(space.p + at, seen, scale, space.narrow + at, stats + 2 * (block.begin + row)) ||
            blind;
    drop(task, block, row, space.narrow + at, seen);
    std::fill(space.narrow + at + seen, space.narrow + at + block.keys, T{});
  }
  T* const result = y + block.begin * task.out;
  float* out = space.out;
  if constexpr (std::is_same_v<T, float>) out = result;
  matmul({.m = block.rows, .n = task.out, .k = block.keys}, space.narrow, v, nullptr, out);
  for (Index row = 0; row < block.rows; ++row) {
    table().affine(out + row * task.out, stats[2 * (block.begin + row) + 1], 0.0f, out + row * task.out, task.out);
  }
  if constexpr (!std::is_same_v<T, float>) table_of<T>().from_float(out, result, block.rows * task.out);
  return blind;
}

/// What one matrix of the backward works on, all of it dense.
template <class T>
struct Matrix {
  Index number;
  const T *q, *k, *v, *y, *dy;
  const float* stats;
  const bool* mask;
  T* dq;
  float *dk, *dv;
};

template <class T>
void attend_backward(const Attention& task, const Matrix<T>& x, const Space<T>& probabilities, const Space<T>& slopes) {
  if (x.dk != nullptr) std::fill_n(x.dk, task.keys * task.width, 0.0f);
  if (x.dv != nullptr) std::fill_n(x.dv, task.keys * task.out, 0.0f);
  for (Index number = 0; number * block_rows < task.rows; ++number) {
    const Block block = block_of(task, x.number, number);
    const T* const dy = x.dy + block.begin * task.out;
    const float scale = scores(task, block, x.q, x.k, x.mask, probabilities.p);
    matmul({.m = block.rows, .n = block.keys, .k = task.out, .transpose_b = true}, dy, x.v, nullptr, slopes.p);
    for (Index row = 0; row < block.rows; ++row) {
      const Index first = row * block.keys, seen = seen_by(task, block, row), at = block.begin + row;
      T *const p = probabilities.narrow + first, *const ds = slopes.narrow + first;
      const float level = table_of<T>().dot(x.y + at * task.out, dy + row * task.out, task.out);
      drop(task, block, row, slopes.p + first, seen);
      table_of<T>().attention_backward(probabilities.p + first, slopes.p + first, seen, scale, x.stats + 2 * at, level,
                                       mutant(Mutant::attention_dk_not_scaled) ? 1.0f : task.scale, p, ds);
      drop(task, block, row, p, seen);
      std::fill(p + seen, p + block.keys, T{});
      std::fill(ds + seen, ds + block.keys, T{});
    }
    if (x.dv != nullptr) {
      matmul({.m = block.keys, .n = task.out, .k = block.rows, .transpose_a = true, .accumulate = true},
             probabilities.narrow, dy, nullptr, x.dv);
    }
    if (x.dq != nullptr) {
      matmul({.m = block.rows, .n = task.width, .k = block.keys}, slopes.narrow, x.k, nullptr,
             x.dq + block.begin * task.width);
    }
    if (x.dk != nullptr) {
      matmul({.m = block.keys, .n = task.width, .k = block.rows, .transpose_a = true, .accumulate = true},
             slopes.narrow, x.q + block.begin * task.width, nullptr, x.dk);
    }
  }
}

}  // namespace

template <class T>
bool attention(const Attention& task, const AttentionOperands<const T>& x, T* y, const AttentionLayout& y_layout,
               float* stats) {
  const Index blocks = chunk_count(task.rows, block_rows);
  const Index wide = task.keys * (task.width + task.out) + task.rows * (task.width + task.out);
  const bool packed = x.layout.heads > 0, narrow = !std::is_same_v<T, float>;
  const Index square = block_rows * task.keys;
  std::atomic<bool> blind = false;
  // Whole matrices where they are copied together first, else block by block.
  const Index step = packed ? blocks : 1;
  parallel_for(task.matrices * blocks, step, [&](Index begin, Index end) {
    Scratch room(square + (narrow ? square + block_rows * task.out : 0) + (packed ? wide : 0), 8);
    Space<T> space{};
    space.p = room.take<float>(square);
    space.narrow = room.template take_beside<T>(space.p, square);
    if (narrow) space.out = room.take<float>(block_rows * task.out);
    const Index matrix = begin / blocks;
    const auto dense = [&](const T* operand, Index rows, Index width) {
      return gathered(matrix_of(operand, x.layout, matrix, rows, width), x.layout, rows, width,
                      packed ? room.take<T>(rows * width) : nullptr);
    };
    const T *const q = dense(x.q, task.rows, task.width), *const k = dense(x.k, task.keys, task.width);
    const T* const v = dense(x.v, task.keys, task.out);
    T* const target = matrix_of(y, y_layout, matrix, task.rows, task.out);
    T* const out = packed ? room.take<T>(task.rows * task.out) : target;
    for (Index i = begin; i < end; ++i) {
      if (attend(task, block_of(task, matrix, i % blocks), q, k, v, mask_of(task, matrix), space, out,
                 stats + 2 * matrix * task.rows)) {
        blind.store(true, std::memory_order_relaxed);
      }
    }
    if (packed) scatter(out, y_layout, task.rows, task.out, target);
  });
  return blind;
}
template bool attention(const Attention&, const AttentionOperands<const float>&, float*, const AttentionLayout&,
                        float*);
template bool attention(const Attention&, const AttentionOperands<const BFloat16>&, BFloat16*, const AttentionLayout&,
                        float*);

template <class T>
void attention_backward(const Attention& task, const AttentionOperands<const T>& x, const T* y, const T* dy,
                        const AttentionLayout& y_layout, const float* stats, const AttentionOperands<T>& gradients) {
  const bool packed = x.layout.heads > 0;
  constexpr bool narrow = !std::is_same_v<T, float>;
  const Index square = block_rows * task.keys;
  const Index wide = 2 * task.keys * (task.width + task.out) + 2 * task.rows * (task.width + task.out);
  // A matrix at a time: its blocks all add to the same dk and dv.
  parallel_for(task.matrices, 1, [&](Index matrix, Index) {
    Scratch room((narrow ? 4 : 2) * square + (packed || narrow ? wide : 0), 16);
    Space<T> probabilities{}, slopes{};
    for (Space<T>* space : {&probabilities, &slopes}) {
      space->p = room.take<float>(square);
      space->narrow = room.template take_beside<T>(space->p, square);
    }
    const auto dense = [&](const T* operand, const AttentionLayout& layout, Index rows, Index width) {
      return gathered(matrix_of(operand, layout, matrix, rows, width), layout, rows, width,
                      packed ? room.take<T>(rows * width) : nullptr);
    };
    const auto target = [&](T* gradient, Index rows, Index width) -> T* {
      if (gradient == nullptr) return nullptr;
      return packed ? room.take<T>(rows * width) : matrix_of(gradient, gradients.layout, matrix, rows, width);
    };
    // Sums over the blocks, in float.
    const auto sums = [&](T* gradient, Index rows, Index width) -> float* {
      if constexpr (narrow) {
        return gradient != nullptr ? room.take<float>(rows * width) : nullptr;
      } else {
        return target(gradient, rows, width);
      }
    };
    const Matrix<T> one{matrix,
                        dense(x.q, x.layout, task.rows, task.width),
                        dense(x.k, x.layout, task.keys, task.width),
                        dense(x.v, x.layout, task.keys, task.out),
                        dense(y, y_layout, task.rows, task.out),
                        dense(dy, y_layout, task.rows, task.out),
                        stats + 2 * matrix * task.rows,
                        mask_of(task, matrix),
                        target(gradients.q, task.rows, task.width),
                        sums(gradients.k, task.keys, task.width),
                        sums(gradients.v, task.keys, task.out)};
    attend_backward(task, one, probabilities, slopes);
    const auto put = [&](const auto* from, T* gradient, Index rows, Index width) {
      if (gradient == nullptr) return;
      scatter(from, gradients.layout, rows, width, matrix_of(gradient, gradients.layout, matrix, rows, width));
    };
    if (packed) put(one.dq, gradients.q, task.rows, task.width);
    if (!packed && !narrow) return;
    put(one.dk, gradients.k, task.keys, task.width);
    put(one.dv, gradients.v, task.keys, task.out);
  });
}
template void attention_backward(const Attention&, const AttentionOperands<const float>&, const float*, const float*,
                                 const AttentionLayout&, const float*, const AttentionOperands<float>&);
template void attention_backward(const Attention&, const AttentionOperands<const BFloat16>&, const BFloat16*,
                                 const BFloat16*, const AttentionLayout&, const float*,
                                 const AttentionOperands<BFloat16>&);

}  // namespace temper::kernels
