#include "framework/kernels/attention.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
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
void drop(const Attention& task, const Block& block, Index row, float* line, Index seen) {
  const Dropping& dropping = task.dropping;
  if (dropping.threshold == 0.0f) return;
  const Index number = (block.matrix * task.rows + block.begin + row) * chunk_count(task.keys, 64);
  table().dropout(dropping.key.data(), dropping.nonce.data(), number, dropping.threshold, dropping.scale, line, line,
                  seen);
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

class Scratch {
 public:
  explicit Scratch(Index floats) : buffer_(static_cast<std::size_t>(floats) * sizeof(float)) {}
  float* data() const { return reinterpret_cast<float*>(buffer_.data()); }
  /// The next `floats` of it.
  float* take(Index floats) { return data() + std::exchange(used_, used_ + floats); }

 private:
  detail::Buffer buffer_;
  Index used_ = 0;
};

/// Matrix number `matrix` of an operand, [rows, width].
template <class Float>
Float* matrix_of(Float* operand, const AttentionLayout& layout, Index matrix, Index rows, Index width) {
  if (layout.heads == 0) return operand + matrix * rows * width;
  return operand + matrix / layout.heads * rows * layout.row_stride + matrix % layout.heads * width;
}

/// A matrix as the products want it: its rows next to each other, copied to `space` where they are not.
const float* gathered(const float* matrix, const AttentionLayout& layout, Index rows, Index width, float* space) {
  if (layout.heads == 0) return matrix;
  for (Index row = 0; row < rows; ++row) {
    std::memcpy(space + row * width, matrix + row * layout.row_stride, static_cast<std::size_t>(width) * sizeof(float));
  }
  return space;
}

void scatter(const float* from, const AttentionLayout& layout, Index rows, Index width, float* matrix) {
  for (Index row = 0; row < rows; ++row) {
    std::memcpy(matrix + row * layout.row_stride, from + row * width, static_cast<std::size_t>(width) * sizeof(float));
  }
}

/// The scores q k^T of a block, not scaled. Where there is a mask, they are, and those it hides are -inf; returns by
/// what they are yet to be multiplied.
float scores(const Attention& task, const Block& block, const float* q, const float* k, const bool* mask, float* p) {
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

/// y and stats of one block; p is space for its scores. Returns whether some row sees no key.
bool attend(const Attention& task, const Block& block, const float* q, const float* k, const float* v, const bool* mask,
            float* p, float* y, float* stats) {
  const float scale = scores(task, block, q, k, mask, p);
  bool blind = false;
  for (Index row = 0; row < block.rows; ++row) {
    float* const line = p + row * block.keys;
    const Index seen = seen_by(task, block, row);
    blind = table().exponentials(line, seen, scale, stats + 2 * (block.begin + row)) || blind;
    drop(task, block, row, line, seen);
    std::fill(line + seen, line + block.keys, 0.0f);
  }
  float* const out = y + block.begin * task.out;
  matmul({.m = block.rows, .n = task.out, .k = block.keys}, p, v, nullptr, out);
  for (Index row = 0; row < block.rows; ++row) {
    table().affine(out + row * task.out, stats[2 * (block.begin + row) + 1], 0.0f, out + row * task.out, task.out);
  }
  return blind;
}

/// What one matrix of the backward works on, all of it dense.
struct Matrix {
  Index number;
  const float *q, *k, *v, *y, *dy, *stats;
  const bool* mask;
  float *dq, *dk, *dv;
};

void attend_backward(const Attention& task, const Matrix& x, float* p, float* ds) {
  if (x.dk != nullptr) std::fill_n(x.dk, task.keys * task.width, 0.0f);
  if (x.dv != nullptr) std::fill_n(x.dv, task.keys * task.out, 0.0f);
  for (Index number = 0; number * block_rows < task.rows; ++number) {
    const Block block = block_of(task, x.number, number);
    const float* const dy = x.dy + block.begin * task.out;
    const float scale = scores(task, block, x.q, x.k, x.mask, p);
    matmul({.m = block.rows, .n = block.keys, .k = task.out, .transpose_b = true}, dy, x.v, nullptr, ds);
    for (Index row = 0; row < block.rows; ++row) {
      float *const line = p + row * block.keys, *const slope = ds + row * block.keys;
      const Index seen = seen_by(task, block, row), at = block.begin + row;
      const float level = table().dot(x.y + at * task.out, dy + row * task.out, task.out);
      drop(task, block, row, slope, seen);
      table().attention_backward(line, slope, seen, scale, x.stats + 2 * at, level,
                                 mutant(Mutant::attention_dk_not_scaled) ? 1.0f : task.scale);
      drop(task, block, row, line, seen);
      std::fill(line + seen, line + block.keys, 0.0f);
      std::fill(slope + seen, slope + block.keys, 0.0f);
    }
    if (x.dv != nullptr) {
      matmul({.m = block.keys, .n = task.out, .k = block.rows, .transpose_a = true, .accumulate = true}, p, dy, nullptr,
             x.dv);
    }
    if (x.dq != nullptr) {
      matmul({.m = block.rows, .n = task.width, .k = block.keys}, ds, x.k, nullptr, x.dq + block.begin * task.width);
    }
    if (x.dk != nullptr) {
      matmul({.m = block.keys, .n = task.width, .k = block.rows, .transpose_a = true, .accumulate = true}, ds,
             x.q + block.begin * task.width, nullptr, x.dk);
    }
  }
}

}  // namespace

bool attention(const Attention& task, const AttentionOperands<const float>& x, float* y,
               const AttentionLayout& y_layout, float* stats) {
  const Index blocks = chunk_count(task.rows, block_rows);
  const Index wide = task.keys * (task.width + task.out) + task.rows * (task.width + task.out);
  const bool packed = x.layout.heads > 0;
  std::atomic<bool> blind = false;
  // Whole matrices where they are copied together first, else block by block.
  const Index step = packed ? blocks : 1;
  parallel_for(task.matrices * blocks, step, [&](Index begin, Index end) {
    Scratch space(block_rows * task.keys + (packed ? wide : 0));
    float* const p = space.take(block_rows * task.keys);
    const Index matrix = begin / blocks;
    const auto dense = [&](const float* operand, Index rows, Index width) {
      return gathered(matrix_of(operand, x.layout, matrix, rows, width), x.layout, rows, width,
                      packed ? space.take(rows * width) : nullptr);
    };
    const float *const q = dense(x.q, task.rows, task.width), *const k = dense(x.k, task.keys, task.width);
    const float* const v = dense(x.v, task.keys, task.out);
    float* const target = matrix_of(y, y_layout, matrix, task.rows, task.out);
    float* const out = packed ? space.take(task.rows * task.out) : target;
    for (Index i = begin; i < end; ++i) {
      if (attend(task, block_of(task, matrix, i % blocks), q, k, v, mask_of(task, matrix), p, out,
                 stats + 2 * matrix * task.rows)) {
        blind.store(true, std::memory_order_relaxed);
      }
    }
    if (packed) scatter(out, y_layout, task.rows, task.out, target);
  });
  return blind;
}

void attention_backward(const Attention& task, const AttentionOperands<const float>& x, const float* y, const float* dy,
                        const AttentionLayout& y_layout, const float* stats,
                        const AttentionOperands<float>& gradients) {
  const bool packed = x.layout.heads > 0;
  const Index wide = 2 * task.keys * (task.width + task.out) + 2 * task.rows * (task.width + task.out);
  // A matrix at a time: its blocks all add to the same dk and dv.
  parallel_for(task.matrices, 1, [&](Index matrix, Index) {
    Scratch space(2 * block_rows * task.keys + (packed ? wide : 0));
    float *const p = space.take(block_rows * task.keys), *const ds = space.take(block_rows * task.keys);
    const auto dense = [&](const float* operand, const AttentionLayout& layout, Index rows, Index width) {
      return gathered(matrix_of(operand, layout, matrix, rows, width), layout, rows, width,
                      packed ? space.take(rows * width) : nullptr);
    };
    const auto target = [&](float* gradient, Index rows, Index width) -> float* {
      if (gradient == nullptr) return nullptr;
      return packed ? space.take(rows * width) : matrix_of(gradient, gradients.layout, matrix, rows, width);
    };
    const Matrix one{matrix,
                     dense(x.q, x.layout, task.rows, task.width),
                     dense(x.k, x.layout, task.keys, task.width),
                     dense(x.v, x.layout, task.keys, task.out),
                     dense(y, y_layout, task.rows, task.out),
                     dense(dy, y_layout, task.rows, task.out),
                     stats + 2 * matrix * task.rows,
                     mask_of(task, matrix),
                     target(gradients.q, task.rows, task.width),
                     target(gradients.k, task.keys, task.width),
                     target(gradients.v, task.keys, task.out)};
    attend_backward(task, one, p, ds);
    if (!packed) return;
    const auto put = [&](const float* from, float* gradient, Index rows, Index width) {
      if (gradient == nullptr) return;
      scatter(from, gradients.layout, rows, width, matrix_of(gradient, gradients.layout, matrix, rows, width));
    };
    put(one.dq, gradients.q, task.rows, task.width);
    put(one.dk, gradients.k, task.keys, task.width);
    put(one.dv, gradients.v, task.keys, task.out);
  });
}

}  // namespace temper::kernels
