#include "framework/kernels/reduce.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <temper/core/parallel.hpp>

#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/isa.hpp"

namespace temper::kernels {

namespace {

constexpr Index grain = 1 << 14;      // elements of a chunk when rows are short
constexpr Index row_piece = 1 << 15;  // elements of a long row that make one partial result
constexpr Index row_block = 128;      // rows that make one partial row
constexpr Index wide_row = 512;       // columns of the long rows that narrow rows are joined to
constexpr Index panel = 1024;         // columns of a chunk; the partial row stays in the L1 cache

double reduce_line(Reduce op, const float* x, Index n) {
  switch (op) {
    case Reduce::sum: return table().sum(x, n);
    case Reduce::largest: return static_cast<double>(table().largest(x, n));
    case Reduce::smallest: break;
  }
  return static_cast<double>(table().smallest(x, n));
}
double reduce_line(Reduce, const BFloat16* x, Index n) { return table_of<BFloat16>().sum(x, n); }

using RowKernel = void (*)(const float* x, Index rows, Index cols, Index stride, float* y);
RowKernel row_kernel(Reduce op, const float*) {
  return op == Reduce::sum ? table().sum_rows : op == Reduce::largest ? table().largest_rows : table().smallest_rows;
}
auto row_kernel(Reduce, const BFloat16*) { return table_of<BFloat16>().sum_rows; }

double combine(Reduce op, double a, double b) {
  if (op == Reduce::sum) return a + b;
  if (std::isnan(a)) return a;
  return (op == Reduce::largest ? b <= a : b >= a) ? a : b;
}

template <class T>
void reduce_lines(Reduce op, const T* x, Index outer, Index n, float scale, float* y) {
  const auto scaled = [scale](double value) { return static_cast<float>(static_cast<double>(scale) * value); };
  const Index pieces = chunk_count(n, row_piece);
  if (pieces == 1) {
    parallel_for(outer, std::max<Index>(1, grain / n), [=](Index begin, Index end) {
      for (Index row = begin; row < end; ++row) y[row] = scaled(reduce_line(op, x + row * n, n));
    });
    return;
  }
  const Scratch<double> partials(outer * pieces);
  parallel_for(outer * pieces, 1, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index first = i % pieces * row_piece;
      partials[i] = reduce_line(op, x + i / pieces * n + first, std::min(row_piece, n - first));
    }
  });
  for (Index row = 0; row < outer; ++row) {
    double total = partials[row * pieces];
    for (Index i = 1; i < pieces; ++i) total = combine(op, total, partials[row * pieces + i]);
    y[row] = scaled(total);
  }
}

template <class T>
void reduce_columns(Reduce op, const T* x, Index outer, Index n, Index inner, float* y) {
  // Several narrow rows are reduced as one long row, which fills the vectors; then the results are reduced again.
  if (const Index fold = wide_row / inner; outer == 1 && fold >= 4 && n >= 16 * fold) {
    const Index rest = n % fold;
    const Scratch<float> rows((fold + rest) * inner);
    reduce_columns(op, x, 1, n / fold, fold * inner, rows.data());
    table_of<T>().to_float(x + (n - rest) * inner, rows.row(fold, inner), rest * inner);
    reduce_columns(op, rows.data(), 1, fold + rest, inner, y);
    return;
  }
  const auto kernel = row_kernel(op, x);
  const Index blocks = chunk_count(n, row_block), panels = chunk_count(inner, panel);
  Scratch<float> partials;
  if (blocks > 1) partials = Scratch<float>(outer * blocks * inner);
  float* const target = blocks > 1 ? partials.data() : y;
  const Index task = std::min(n, row_block) * std::min(inner, panel);
  parallel_for(outer * blocks * panels, std::max<Index>(1, grain / task), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index line = i / panels, col = i % panels * panel;  // line counts [outer, blocks]
      const Index row = line % blocks * row_block;
      kernel(x + (line / blocks * n + row) * inner + col, std::min(row_block, n - row), std::min(panel, inner - col),
             inner, target + line * inner + col);
    }
  });
  if (blocks > 1) reduce_columns(op, target, outer, blocks, inner, y);
}

}  // namespace

template <class T>
void reduce(Reduce op, const T* x, Index outer, Index n, Index inner, float scale, float* y) {
  if (outer == 0 || inner == 0) return;
  if (n == 0) {
    std::fill_n(y, outer * inner, 0.0f);
  } else if (inner == 1) {
    reduce_lines(op, x, outer, n, scale, y);
  } else {
    reduce_columns(op, x, outer, n, inner, y);
    if (scale != 1.0f) affine(y, scale, 0.0f, y, outer * inner);
  }
}
template void reduce(Reduce, const float*, Index, Index, Index, float, float*);
template void reduce(Reduce, const BFloat16*, Index, Index, Index, float, float*);

template <class T>
void reduce_to(Reduce op, const T* x, const Shape& x_shape, float scale, float* y, const Shape& y_shape) {
  const int rank = x_shape.rank();
  // Alternating groups of neighbouring axes that are kept or reduced, innermost first. Axes of size 1 are either.
  struct Group {
    Index size;
    bool reduced;
  };
  std::array<Group, Shape::max_rank> groups;
  int count = 0;
  for (int back = 1; back <= rank; ++back) {
    const Index size = x_shape[-back];
    if (size == 1) continue;
    const bool reduced = back > y_shape.rank() || y_shape[-back] != size;
    if (count > 0 && groups[static_cast<std::size_t>(count - 1)].reduced == reduced) {
      groups[static_cast<std::size_t>(count - 1)].size *= size;
    } else {
      groups[static_cast<std::size_t>(count++)] = {size, reduced};
    }
  }
  Index outer = x_shape.numel(), inner = 1;
  int passes = 0;
  for (int i = 0; i < count; ++i) passes += groups[static_cast<std::size_t>(i)].reduced;
  if (passes == 0) {
    convert(x, y, outer);
    affine(y, scale, 0.0f, y, outer);
    return;
  }
  if (outer == 0) {
    std::fill_n(y, y_shape.numel(), 0.0f);
    return;
  }
  Scratch<float> previous;
  const float* partial = nullptr;
  for (int i = 0; i < count; ++i) {
    const auto [size, reduced] = groups[static_cast<std::size_t>(i)];
    outer /= size;
    if (!reduced) {
      inner *= size;
      continue;
    }
    const bool last = --passes == 0;
    Scratch<float> next;
    if (!last) next = Scratch<float>(outer * inner);
    float* const to = last ? y : next.data();
    if (partial == nullptr) {
      reduce(op, x, outer, size, inner, last ? scale : 1.0f, to);
    } else {
      reduce(op, partial, outer, size, inner, last ? scale : 1.0f, to);
    }
    if (last) return;
    previous = std::move(next);
    partial = to;
  }
}
template void reduce_to(Reduce, const float*, const Shape&, float, float*, const Shape&);
template void reduce_to(Reduce, const BFloat16*, const Shape&, float, float*, const Shape&);

template <class T>
void sum_rows(const T* x, Index rows, Index cols, float* y, bool accumulate) {
  if (!accumulate) return reduce(Reduce::sum, x, 1, rows, cols, 1.0f, y);
  const Scratch<float> sums(cols);
  reduce(Reduce::sum, x, 1, rows, cols, 1.0f, sums.data());
  kernels::accumulate(y, sums.data(), cols);
}
template void sum_rows(const float*, Index, Index, float*, bool);
template void sum_rows(const BFloat16*, Index, Index, float*, bool);

// At most 128 rows in a chunk, because longer sums in float lose digits.
SumOfRows::SumOfRows(Index rows, Index cols, bool wanted)
    : rows_(rows), cols_(cols), chunk_rows_(std::clamp<Index>(grain / std::max<Index>(1, cols), 16, row_block)) {
  if (wanted) parts_ = Scratch<float>(chunk_count(rows, chunk_rows_) * cols);
}

void SumOfRows::finish(float* y, bool accumulate) const {
  if (parts_.data() != nullptr) sum_rows(parts_.data(), chunk_count(rows_, chunk_rows_), cols_, y, accumulate);
}

template <class T>
void arg_extreme(Reduce op, const T* x, Index outer, Index n, Index inner, bool last, std::int64_t* y) {
  parallel_for(outer * inner, std::max<Index>(1, grain / n), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const T* line = x + i / inner * n * inner + i % inner;
      Index best = 0;
      for (Index k = 1; k < n && !std::isnan(static_cast<double>(line[best * inner])); ++k) {
        const T value = line[k * inner], top = line[best * inner];
        if ((op == Reduce::largest ? !(value <= top) : !(value >= top)) || (last && value == top)) best = k;
      }
      y[i] = best;
    }
  });
}
template void arg_extreme(Reduce, const float*, Index, Index, Index, bool, std::int64_t*);
template void arg_extreme(Reduce, const std::int64_t*, Index, Index, Index, bool, std::int64_t*);

}  // namespace temper::kernels
