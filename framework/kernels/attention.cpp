#include "framework/kernels/attention.hpp"

#include <algorithm>
#include <atomic>
#include <limits>

#include <temper/core/buffer.hpp>
#include <temper/core/parallel.hpp>

#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/matmul.hpp"

// Block by block of rows, so that the matrix of all scores never exists; under a causal mask the keys that no row of a
// block sees are left out. The backward computes the blocks again.

namespace temper::kernels {

namespace {

constexpr Index block_rows = 64;

/// Rows begin to end of one matrix, and the keys they may see.
struct Block {
  Index matrix, begin, rows, keys;
};

Block block_of(const Attention& task, Index matrix, Index number) {
  const Index begin = number * block_rows, end = std::min(task.rows, begin + block_rows);
  return {matrix, begin, end - begin, task.causal ? std::min(task.keys, end) : task.keys};
}

const bool* mask_of(const Attention& task, Index matrix) {
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

 private:
  detail::Buffer buffer_;
};

/// p[rows, keys] of a block: softmax of the masked scores. Returns whether some row sees no key.
bool weights(const Attention& task, const Block& block, const float* q, const float* k, float* p) {
  matmul({.m = block.rows, .n = block.keys, .k = task.width, .transpose_b = true},
         q + (block.matrix * task.rows + block.begin) * task.width, k + block.matrix * task.keys * task.width, nullptr,
         p);
  const bool* mask = task.mask != nullptr ? mask_of(task, block.matrix) : nullptr;
  bool blind = false;
  for (Index row = 0; row < block.rows; ++row, p += block.keys) {
    const Index last = block.begin + row + (mutant(Mutant::causal_sees_next) ? 1 : 0);
    const Index seen = task.causal ? std::min(block.keys, last + 1) : block.keys;
    table().affine(p, task.scale, 0.0f, p, seen);
    if (mask != nullptr) {
      const bool* visible = mask + (block.begin + row) * task.mask_row_stride;
      for (Index key = 0; key < seen; ++key) {
        if (!visible[key * task.mask_key_stride]) p[key] = -std::numeric_limits<float>::infinity();
      }
    }
    blind = table().softmax(p, seen, 1, 1, false, p) || blind;
    std::fill(p + seen, p + block.keys, 0.0f);
  }
  return blind;
}

}  // namespace

bool attention(const Attention& task, const float* q, const float* k, const float* v, float* y) {
  const Index blocks = chunk_count(task.rows, block_rows);
  std::atomic<bool> blind = false;
  parallel_for(task.matrices * blocks, 1, [&](Index begin, Index end) {
    const Scratch scores(block_rows * task.keys);
    for (Index i = begin; i < end; ++i) {
      const Block block = block_of(task, i / blocks, i % blocks);
      if (weights(task, block, q, k, scores.data())) blind.store(true, std::memory_order_relaxed);
      matmul({.m = block.rows, .n = task.out, .k = block.keys}, scores.data(), v + block.matrix * task.keys * task.out,
             nullptr, y + (block.matrix * task.rows + block.begin) * task.out);
    }
  });
  return blind;
}

void attention_backward(const Attention& task, const float* q, const float* k, const float* v, const float* dy,
                        float* dq, float* dk, float* dv) {
  if (dk != nullptr) std::fill_n(dk, task.matrices * task.keys * task.width, 0.0f);
  if (dv != nullptr) std::fill_n(dv, task.matrices * task.keys * task.out, 0.0f);
  // A matrix at a time: its blocks all add to the same dk and dv.
  parallel_for(task.matrices, 1, [&](Index first, Index last) {
    const Scratch p(block_rows * task.keys), ds(block_rows * task.keys);
    for (Index matrix = first; matrix < last; ++matrix) {
      const Index keys_at = matrix * task.keys;
      for (Index number = 0; number * block_rows < task.rows; ++number) {
        const Block block = block_of(task, matrix, number);
        const Index rows_at = matrix * task.rows + block.begin;
        static_cast<void>(weights(task, block, q, k, p.data()));
        if (dv != nullptr) {
          matmul({.m = block.keys, .n = task.out, .k = block.rows, .transpose_a = true, .accumulate = true}, p.data(),
                 dy + rows_at * task.out, nullptr, dv + keys_at * task.out);
        }
        if (dq == nullptr && dk == nullptr) continue;
        matmul({.m = block.rows, .n = block.keys, .k = task.out, .transpose_b = true}, dy + rows_at * task.out,
               v + keys_at * task.out, nullptr, ds.data());
        for (Index row = 0; row < block.rows; ++row) {
          float* line = ds.data() + row * block.keys;
          table().softmax_backward(p.data() + row * block.keys, line, block.keys, 1, 1, false, line);
          if (!mutant(Mutant::attention_dk_not_scaled)) table().affine(line, task.scale, 0.0f, line, block.keys);
        }
        if (dq != nullptr) {
          matmul({.m = block.rows, .n = task.width, .k = block.keys}, ds.data(), k + keys_at * task.width, nullptr,
                 dq + rows_at * task.width);
        }
        if (dk != nullptr) {
          matmul({.m = block.keys, .n = task.width, .k = block.rows, .transpose_a = true, .accumulate = true},
                 ds.data(), q + rows_at * task.width, nullptr, dk + keys_at * task.width);
        }
      }
    }
  });
}

}  // namespace temper::kernels
