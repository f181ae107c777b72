#include "framework/kernels/matmul.hpp"

#include <algorithm>

#include <temper/core/buffer.hpp>
#include <temper/core/parallel.hpp>

#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/onednn.hpp"

namespace temper::kernels {

namespace {

using dnnl::memory;

/// A stack of [rows, columns] matrices, dense, each stored by columns when `transposed`.
memory::desc matrices(Index batch, Index rows, Index columns, bool transposed) {
  return {{batch, rows, columns},
          memory::data_type::f32,
          memory::dims{rows * columns, transposed ? 1 : columns, transposed ? rows : 1}};
}

memory::desc matrix(Index rows, Index columns, bool transposed) {
  return {{rows, columns}, memory::data_type::f32, memory::dims{transposed ? 1 : columns, transposed ? rows : 1}};
}

void compile(onednn::Program& program, const Matmul& shape, bool has_bias) {
  const auto& [m, n, k, batch, transpose_a, transpose_b, accumulate, share_b] = shape;
  const bool plain = batch == 1;
  const memory::desc a = plain ? matrix(m, k, transpose_a) : matrices(batch, m, k, transpose_a);
  const memory::desc b = plain ? matrix(k, n, transpose_b) : matrices(share_b ? 1 : batch, k, n, transpose_b);
  const memory::desc y = plain ? matrix(m, n, false) : matrices(batch, m, n, false);
  const dnnl::primitive_attr attributes = accumulate ? onednn::accumulating() : onednn::attributes();
  const int source = program.operand(a), weights = program.operand(b), bias = program.operand(onednn::dense({n}));
  const int result = program.operand(y);
  if (has_bias) {
    const memory::desc row = plain ? matrix(1, n, false) : matrices(1, 1, n, false);
    program.add("matmul", onednn::describe<dnnl::matmul>(attributes, a, b, row, y),
                {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, result}});
  } else {
    program.add("matmul", onednn::describe<dnnl::matmul>(attributes, a, b, y),
                {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, result}});
  }
}

/// Whether oneDNN's gemm is faster here than its matmul: as a rule where a is transposed (5 to 20 %), and for tall
/// products. The shape alone decides, so that a run repeats itself.
bool suits_gemm(const Matmul& shape, bool has_bias) {
  const auto& [m, n, k, batch, transpose_a, transpose_b, accumulate, share_b] = shape;
  if (batch != 1 || has_bias || std::min({m, n, k}) < 64 || m * n * k < (Index{1} << 22)) return false;
  if (transpose_a) return !transpose_b;
  return transpose_b ? m >= 1024 && n >= 4 * k : m >= 1024 || k >= 2 * n;
}

/// What is left of a product over no terms at all.
void empty_product(const Matmul& shape, const float* bias, float* y) {
  for (Index row = 0; row < shape.batch * shape.m; ++row, y += shape.n) {
    if (!shape.accumulate) std::fill_n(y, shape.n, 0.0f);
    if (bias != nullptr) table().accumulate(y, bias, shape.n);
  }
}

}  // namespace

void matmul(const Matmul& shape, const float* a, const float* b, const float* bias, float* y) {
  if (shape.batch == 0 || shape.m == 0 || shape.n == 0) return;
  if (shape.k == 0) return empty_product(shape, bias, y);
  if (suits_gemm(shape, bias != nullptr)) {
    return onednn::gemm(shape.m, shape.n, shape.k, {a, shape.transpose_a}, {b, shape.transpose_b}, shape.accumulate, y);
  }
  const onednn::Key key(onednn::Op::matmul, {shape.m, shape.n, shape.k, shape.batch, shape.transpose_a,
                                             shape.transpose_b, shape.accumulate, shape.share_b, bias != nullptr});
  onednn::run(key, {a, b, bias, y}, [&](onednn::Program& program) { compile(program, shape, bias != nullptr); });
}

void sum_rows(const float* x, Index rows, Index columns, float* y, bool accumulate) {
  if (columns == 0) return;
  if (!accumulate) std::fill_n(y, columns, 0.0f);
  if (rows == 0) return;
  // Narrow rows are taken several at a time as one long row, so that the vectors are full; the sums over them are
  // folded at the end. Every cut depends on the sizes alone.
  const Index fold = std::max<Index>(1, std::min(rows, 256 / columns));
  const Index wide = fold * columns, wide_rows = rows / fold;
  const Index grain = std::max<Index>(16, (Index{1} << 15) / wide);
  const Index chunks = chunk_count(wide_rows, grain);
  const detail::Buffer memory(static_cast<std::size_t>(chunks * wide) * sizeof(float));
  auto* const partial = reinterpret_cast<float*>(memory.data());
  const auto add = table().accumulate;
  parallel_chunks(wide_rows, grain, [&](Index chunk, Index begin, Index end) {
    float* const sum = partial + chunk * wide;
    std::copy_n(x + begin * wide, wide, sum);
    for (Index row = begin + 1; row < end; ++row) add(sum, x + row * wide, wide);
  });
  for (Index chunk = 1; chunk < chunks; ++chunk) add(partial, partial + chunk * wide, wide);
  for (Index i = 0; i < fold; ++i) add(y, partial + i * columns, columns);
  if (mutant(Mutant::bias_gradient_drops_rest)) return;
  for (Index row = wide_rows * fold; row < rows; ++row) add(y, x + row * columns, columns);
}

void relu_backward(const float* y, const float* dy, Index rows, Index columns, float* dz, float* sum, bool accumulate) {
  if (sum != nullptr && !accumulate) std::fill_n(sum, columns, 0.0f);
  if (columns == 0 || rows == 0) return;
  const Index grain = std::clamp<Index>((Index{1} << 14) / columns, 16, 128);  // longer float sums lose digits
  const Index chunks = chunk_count(rows, grain);
  const detail::Buffer memory(static_cast<std::size_t>(sum != nullptr ? chunks * columns : 0) * sizeof(float));
  auto* const partial = reinterpret_cast<float*>(memory.data());
  parallel_chunks(rows, grain, [&](Index chunk, Index begin, Index end) {
    const Index at = begin * columns;
    table().relu_backward_rows(y + at, dy + at, end - begin, columns, dz + at,
                               sum != nullptr ? partial + chunk * columns : nullptr);
  });
  if (sum == nullptr) return;
  for (Index chunk = 0; chunk < chunks; ++chunk) table().accumulate(sum, partial + chunk * columns, columns);
}

}  // namespace temper::kernels
