#include <temper/core/parallel.hpp>

#include "framework/kernels/attention.hpp"
#include "framework/kernels/attention_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/matmul.hpp"

// The scores are computed again, block by block; their gradient takes the sum of dy * y over each row.
// Source: Dao et al., "FlashAttention" (2022), section B.

namespace temper::kernels {

using namespace attention_detail;

namespace {

/// What the backward of one head reads and writes, in dense rows.
template <class T>
struct HeadGradient {
  const T *q, *k, *v, *y, *dy;
  const float* stats;
  T* dq;  // null where not wanted, as the next three
  float *dk, *dv, *dbias;
};

/// dq [block.rows, width] = ds k. A hidden key contributes 0 even where it is infinite or NaN.
template <class T>
void query_gradient(const Attention& task, const Head& head, const Block& block, const T* ds, const T* k, T* dq) {
  const T* const keys = k + block.first_key * task.width;
  matmul({.m = block.rows, .n = task.width, .k = block.keys}, ds, keys, nullptr, dq);
  if (!hides(task) || table_of<T>().all_finite(dq, block.rows * task.width)) return;
  const Scratch<float> sums(block.rows * task.width);
  std::fill_n(sums.data(), block.rows * task.width, 0.0f);
  for_each_visible(task, head, block, [&](Index row, Index key, Index place) {
    for (Index i = 0; i < task.width; ++i) {
      sums[row * task.width + i] += widened(ds[place]) * widened(keys[key * task.width + i]);
    }
  });
  table_of<T>().from_float(sums.data(), dq, block.rows * task.width);
}

/// sums [keys, n] += a^T x for a [rows, keys] and x [rows, n]. A row contributes 0 to keys hidden from it, even where
/// it is infinite or NaN.
template <class T>
void add_to_keys(const Attention& task, const Head& head, const Block& block, const T* a, const T* x, Index n,
                 float* sums) {
  float* const target = sums + block.first_key * n;
  if (!hides(task) || table_of<T>().all_finite(x, block.rows * n)) {
    return matmul({.m = block.keys, .n = n, .k = block.rows, .transpose_a = true, .accumulate = true}, a, x, nullptr,
                  target);
  }
  for_each_visible(task, head, block, [&](Index row, Index key, Index place) {
    for (Index i = 0; i < n; ++i) target[key * n + i] += widened(a[place]) * widened(x[row * n + i]);
  });
}

/// Writes one head's dq and dbias, and adds its part to dk and dv, which the heads that share k and v sum up.
template <class T>
void attend_backward(const Attention& task, const Head& head, const HeadGradient<T>& x,
                     const BlockScores<T>& probabilities, const BlockScores<T>& dscores) {
  for (Index number = 0; number < block_count(head); ++number) {
    const Block block = block_of(task, head, number);
    const T* const dy = x.dy + block.begin * task.out;
    const float scale = block_scores(task, head, block, x.q, x.k, probabilities.wide());
    matmul({.m = block.rows, .n = block.keys, .k = task.out, .transpose_b = true}, dy, x.v + block.first_key * task.out,
           nullptr, dscores.wide());
    for (Index row = 0; row < block.rows; ++row) {
      const Index first = row * block.keys, at = block.begin + row;
      const Span seen = seen_by(task, block, row);
      T *const p = probabilities.narrow() + first, *const ds = dscores.narrow() + first;
      const float sum_y_dy = table_of<T>().dot(x.y + at * task.out, dy + row * task.out, task.out);
      drop(task, head, block, row, dscores.wide() + first);
      const auto backward = [&](const auto& kernels, float dscale, auto* to_p, auto* to_ds) {
        kernels.attention_backward(probabilities.wide() + first + seen.begin, dscores.wide() + first + seen.begin,
                                   seen.size(), scale, x.stats + 2 * at, sum_y_dy, dscale, to_p, to_ds);
      };
      if (x.dbias != nullptr) {
        float* const line = x.dbias + at * head.keys;
        std::fill_n(line, head.keys, 0.0f);
        const Scratch<float> unused(seen.size());
        backward(table(), 1.0f, unused.data(), line + block.first_key + seen.begin);
      }
      backward(table_of<T>(), task.scale, p + seen.begin, ds + seen.begin);
      drop(task, head, block, row, p);
      clear_unseen(block, seen, p);
      clear_unseen(block, seen, ds);
    }
    if (x.dv != nullptr) add_to_keys(task, head, block, probabilities.narrow(), dy, task.out, x.dv);
    if (x.dq != nullptr) {
      query_gradient(task, head, block, dscores.narrow(), x.k, x.dq + block.begin * task.width);
    }
    if (x.dk != nullptr) {
      add_to_keys(task, head, block, dscores.narrow(), x.q + block.begin * task.width, task.width, x.dk);
    }
  }
}

}  // namespace

template <class T>
void attention_backward(const Attention& task, const AttentionOperand<const T>& q, const AttentionOperand<const T>& k,
                        const AttentionOperand<const T>& v, const AttentionOperand<const T>& y, const T* dy,
                        const float* stats, const AttentionGradients<T>& gradients) {
  const Index group = task.heads / task.kv_heads;
  // A task is a head of k and v: all heads and blocks that share it add to the same dk and dv, in a fixed order.
  const Index tasks = task.sequences * task.kv_heads;
  parallel_for(tasks, heads_each(tasks), [&](Index first_task, Index last_task) {
    DenseRows<T> queries(task.rows, task.width), keys(task.keys, task.width), values(task.keys, task.out);
    DenseRows<T> outputs(task.rows, task.out), doutputs(task.rows, task.out);
    DenseResult<T, T> dq(task.rows, task.width);
    DenseResult<float, T> dk(task.keys, task.width), dv(task.keys, task.out);
    const BlockScores<T> probabilities(task.keys), dscores(task.keys);
    for (Index number = first_task; number < last_task; ++number) {
      const Index sequence = number / task.kv_heads, kv_head = number % task.kv_heads;
      const Head first = head_of(task, sequence, kv_head * group);
      const auto read = [&](DenseRows<T>& rows, const AttentionOperand<const T>& x, Index head, Index count) {
        return rows.read(first_of(task, x, sequence, head), x.layout.row, count);
      };
      const auto begin = [&](auto& result, const AttentionOperand<T>& d, Index head, Index count) {
        return result.begin(d.data != nullptr ? first_of(task, d, sequence, head) : nullptr, d.layout.row, count);
      };
      HeadGradient<T> x{};
      x.k = read(keys, k, kv_head, first.keys);
      x.v = read(values, v, kv_head, first.keys);
      x.dk = begin(dk, gradients.k, kv_head, first.keys);
      x.dv = begin(dv, gradients.v, kv_head, first.keys);
      dk.clear();
      dv.clear();
      for (Index h = kv_head * group; h < (kv_head + 1) * group; ++h) {
        const Head head = head_of(task, sequence, h);
        x.q = read(queries, q, h, head.rows);
        x.y = read(outputs, y, h, head.rows);
        x.dy = read(doutputs, {dy, y.layout}, h, head.rows);
        x.stats = stats + 2 * head.first_row;
        x.dq = begin(dq, gradients.q, h, head.rows);
        x.dbias = gradients.bias != nullptr ? gradients.bias + head.first_row * head.keys : nullptr;
        attend_backward(task, head, x, probabilities, dscores);
        dq.write();
      }
      dk.write();
      dv.write();
    }
  });
}
template void attention_backward(const Attention&, const AttentionOperand<const float>&,
                                 const AttentionOperand<const float>&, const AttentionOperand<const float>&,
                                 const AttentionOperand<const float>&, const float*, const float*,
                                 const AttentionGradients<float>&);
template void attention_backward(const Attention&, const AttentionOperand<const BFloat16>&,
                                 const AttentionOperand<const BFloat16>&, const AttentionOperand<const BFloat16>&,
                                 const AttentionOperand<const BFloat16>&, const BFloat16*, const float*,
                                 const AttentionGradients<BFloat16>&);

}  // namespace temper::kernels
