#include "framework/kernels/attention.hpp"

#include <atomic>

#include <temper/core/parallel.hpp>

#include "framework/kernels/attention_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/matmul.hpp"

// Computed for blocks of rows, so that the matrix of all scores is never stored. Keys that no row of a block may see
// are skipped.

namespace temper::kernels {

using namespace attention_detail;

namespace {

constexpr Index none = -1;

/// out [rows, task.out] = p v. A hidden value contributes 0 even where it is infinite or NaN.
template <class T>
void weighted_values(const Attention& task, const Head& head, const Block& block, const T* p, const T* v, float* out) {
  const T* const values = v + block.first_key * task.out;
  matmul({.m = block.rows, .n = task.out, .k = block.keys}, p, values, nullptr, out);
  if (!hides(task) || table().all_finite(out, block.rows * task.out)) return;
  std::fill_n(out, block.rows * task.out, 0.0f);
  for_each_visible(task, head, block, [&](Index row, Index key, Index place) {
    for (Index i = 0; i < task.out; ++i) {
      out[row * task.out + i] += widened(p[place]) * widened(values[key * task.out + i]);
    }
  });
}

/// One block: y [block.rows, task.out] and stats. Returns the index in stats of the first row that sees no key, or
/// `none`.
template <class T>
Index attend(const Attention& task, const Head& head, const Block& block, const T* q, const T* k, const T* v,
             const BlockScores<T>& scores, T* y, float* stats) {
  const float scale = block_scores(task, head, block, q, k, scores.wide());
  Index blind = none;
  for (Index row = 0; row < block.rows; ++row) {
    const Span seen = seen_by(task, block, row);
    float* const line = scores.wide() + row * block.keys;
    T* const p = scores.narrow() + row * block.keys;
    float* const row_stats = stats + 2 * (block.begin + row);
    if (table_of<T>().exponentials(line + seen.begin, seen.size(), scale, p + seen.begin, row_stats)) {
      if (blind == none) blind = head.first_row + block.begin + row;
      std::fill_n(p, block.keys, T{});
      row_stats[0] = row_stats[1] = 0.0f;  // gives probabilities of 0 in the backward
      continue;
    }
    drop(task, head, block, row, p);
    clear_unseen(block, seen, p);
  }
  Scratch<float> wide;
  float* out = nullptr;
  if constexpr (std::is_same_v<T, float>) {
    out = y;
  } else {
    wide = Scratch<float>(block.rows * task.out);
    out = wide.data();
  }
  weighted_values(task, head, block, scores.narrow(), v, out);
  for (Index row = 0; row < block.rows; ++row) {
    table().affine(out + row * task.out, stats[2 * (block.begin + row) + 1], 0.0f, out + row * task.out, task.out);
  }
  if constexpr (!std::is_same_v<T, float>) table_of<T>().from_float(out, y, block.rows * task.out);
  return blind;
}

}  // namespace

template <class T>
std::optional<Index> attention(const Attention& task, const AttentionOperand<const T>& q,
                               const AttentionOperand<const T>& k, const AttentionOperand<const T>& v,
                               const AttentionOperand<T>& y, float* stats) {
  const Index group = task.heads / task.kv_heads, blocks = chunk_count(task.rows, block_rows);
  std::atomic<Index> blind = none;
  // A task is a whole head where its rows are copied to dense memory first, else a block.
  const bool copied = q.layout.row != task.width || k.layout.row != task.width || v.layout.row != task.out;
  const Index grain = copied ? std::max<Index>(1, blocks) : 1;
  const Index tasks = chunk_count(task.sequences * task.heads * blocks, grain);
  parallel_for(tasks, heads_each(tasks), [&](Index first_task, Index last_task) {
    DenseRows<T> queries(task.rows, task.width), keys(task.keys, task.width), values(task.keys, task.out);
    DenseResult<T, T> result(task.rows, task.out);
    const BlockScores<T> scores(task.keys);
    for (Index begin = first_task * grain; begin < last_task * grain; begin += grain) {
      const Head head = head_of(task, begin / blocks / task.heads, begin / blocks % task.heads);
      const T* const q_rows = queries.read(first_of(task, q, head.sequence, head.head), q.layout.row, head.rows);
      const T* const k_rows = keys.read(first_of(task, k, head.sequence, head.head / group), k.layout.row, head.keys);
      const T* const v_rows = values.read(first_of(task, v, head.sequence, head.head / group), v.layout.row, head.keys);
      T* const y_rows = result.begin(first_of(task, y, head.sequence, head.head), y.layout.row, head.rows);
      for (Index i = begin; i < begin + grain; ++i) {
        const Index number = i % blocks;
        if (number >= block_count(head)) break;  // this sequence is shorter than the longest one
        const Block block = block_of(task, head, number);
        const Index row = attend(task, head, block, q_rows, k_rows, v_rows, scores, y_rows + block.begin * task.out,
                                 stats + 2 * head.first_row);
        if (row == none) continue;
        // The smallest index of all threads.
        Index known = blind.load();
        while ((known == none || row < known) && !blind.compare_exchange_weak(known, row)) {
        }
      }
      result.write();
    }
  });
  if (blind == none) return {};
  return blind;
}
template std::optional<Index> attention(const Attention&, const AttentionOperand<const float>&,
                                        const AttentionOperand<const float>&, const AttentionOperand<const float>&,
                                        const AttentionOperand<float>&, float*);
template std::optional<Index> attention(const Attention&, const AttentionOperand<const BFloat16>&,
                                        const AttentionOperand<const BFloat16>&,
                                        const AttentionOperand<const BFloat16>&, const AttentionOperand<BFloat16>&,
                                        float*);

}  // namespace temper::kernels
