#include "framework/kernels/matmul.hpp"

#include <algorithm>
#include <type_traits>

#include <temper/core/buffer.hpp>
#include <temper/core/parallel.hpp>

#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/broadcast_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/onednn.hpp"

namespace temper::kernels {

namespace {

using dnnl::memory;

/// A stack of [rows, columns] matrices, dense, each stored by columns when `transposed`.
memory::desc matrices(Index batch, Index rows, Index columns, bool transposed, onednn::Type type) {
  return {{batch, rows, columns}, type, memory::dims{rows * columns, transposed ? 1 : columns, transposed ? rows : 1}};
}

memory::desc matrix(Index rows, Index columns, bool transposed, onednn::Type type) {
  return {{rows, columns}, type, memory::dims{transposed ? 1 : columns, transposed ? rows : 1}};
}

void compile(onednn::Program& program, const Matmul& shape, onednn::Type from, onednn::Type to, bool has_bias) {
  const auto& [m, n, k, batch, transpose_a, transpose_b, accumulate, share_b] = shape;
  const bool plain = batch == 1;
  const memory::desc a = plain ? matrix(m, k, transpose_a, from) : matrices(batch, m, k, transpose_a, from);
  const memory::desc b =
      plain ? matrix(k, n, transpose_b, from) : matrices(share_b ? 1 : batch, k, n, transpose_b, from);
  const memory::desc y = plain ? matrix(m, n, false, to) : matrices(batch, m, n, false, to);
  const dnnl::primitive_attr attributes = accumulate ? onednn::accumulating() : onednn::attributes();
  const int source = program.operand(a), weights = program.operand(b), bias = program.operand(onednn::dense({n}));
  const int result = program.operand(y);
  if (has_bias) {
    const memory::desc row = onednn::dense(plain ? memory::dims{1, n} : memory::dims{1, 1, n});
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
template <class Y>
void empty_product(const Matmul& shape, const float* bias, Y* y) {
  for (Index row = 0; row < shape.batch * shape.m; ++row, y += shape.n) {
    if (!shape.accumulate) std::fill_n(y, shape.n, Y{});
    if (bias == nullptr) continue;
    for (Index i = 0; i < shape.n; ++i) y[i] = narrowed<Y>(widened(y[i]) + bias[i]);
  }
}

}  // namespace

template <class X, class Y>
void matmul(const Matmul& shape, const X* a, const X* b, const float* bias, Y* y) {
  if (shape.batch == 0 || shape.m == 0 || shape.n == 0) return;
  if (shape.k == 0) return empty_product(shape, bias, y);
  if constexpr (std::is_same_v<X, float>) {
    if (suits_gemm(shape, bias != nullptr)) {
      return onednn::gemm(shape.m, shape.n, shape.k, {a, shape.transpose_a}, {b, shape.transpose_b}, shape.accumulate,
                          y);
    }
  }
  constexpr onednn::Type from = onednn::type_of<X>, to = onednn::type_of<Y>;
  const onednn::Key key(onednn::Op::matmul,
                        {shape.m, shape.n, shape.k, shape.batch, shape.transpose_a, shape.transpose_b, shape.accumulate,
                         shape.share_b, bias != nullptr, static_cast<Index>(from), static_cast<Index>(to)});
  onednn::run(key, {a, b, bias, y}, [&](onednn::Program& program) {
    if (from == onednn::Type::bf16) onednn::require_bf16("matmul");
    compile(program, shape, from, to, bias != nullptr);
  });
}
template void matmul(const Matmul&, const float*, const float*, const float*, float*);
template void matmul(const Matmul&, const BFloat16*, const BFloat16*, const float*, BFloat16*);
template void matmul(const Matmul&, const BFloat16*, const BFloat16*, const float*, float*);

template <class T>
void sum_rows(const T* x, Index rows, Index columns, float* y, bool accumulate) {
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
  const auto add = table_of<T>().accumulate_in_float;
  const auto add_partial = table().accumulate;
  parallel_chunks(wide_rows, grain, [&](Index chunk, Index begin, Index end) {
    float* const sum = partial + chunk * wide;
    table_of<T>().to_float(x + begin * wide, sum, wide);
    for (Index row = begin + 1; row < end; ++row) add(sum, x + row * wide, wide);
  });
  for (Index chunk = 1; chunk < chunks; ++chunk) add_partial(partial, partial + chunk * wide, wide);
  for (Index i = 0; i < fold; ++i) add_partial(y, partial + i * columns, columns);
  if (mutant(Mutant::bias_gradient_drops_rest)) return;
  for (Index row = wide_rows * fold; row < rows; ++row) add(y, x + row * columns, columns);
}
template void sum_rows(const float*, Index, Index, float*, bool);
template void sum_rows(const BFloat16*, Index, Index, float*, bool);

template <class T>
void bias_activation(Activation f, const T* x, const float* bias, Index rows, Index columns, T* y) {
  if (columns == 0) return;
  const auto kernel = table_of<T>().bias_activation[static_cast<std::size_t>(f)];
  parallel_for(rows, std::max<Index>(1, elementwise_grain / columns), [=](Index begin, Index end) {
    kernel(x + begin * columns, bias, end - begin, columns, y + begin * columns);
  });
}
template void bias_activation(Activation, const float*, const float*, Index, Index, float*);
template void bias_activation(Activation, const BFloat16*, const float*, Index, Index, BFloat16*);

template <class T>
void bias_activation_backward(Activation f, const T* x, const float* bias, const T* dy, Index rows, Index columns,
                              T* dz, float* sum, bool accumulate) {
  if (sum != nullptr && !accumulate) std::fill_n(sum, columns, 0.0f);
  if (columns == 0 || rows == 0) return;
  const Index grain = std::clamp<Index>((Index{1} << 14) / columns, 16, 128);  // longer float sums lose digits
  const Index chunks = chunk_count(rows, grain);
  const detail::Buffer memory(static_cast<std::size_t>(sum != nullptr ? chunks * columns : 0) * sizeof(float));
  auto* const partial = reinterpret_cast<float*>(memory.data());
  const auto kernel = table_of<T>().bias_activation_backward[static_cast<std::size_t>(f)];
  parallel_chunks(rows, grain, [&](Index chunk, Index begin, Index end) {
    const Index at = begin * columns;
    kernel(x + at, bias, dy + at, end - begin, columns, dz + at, sum != nullptr ? partial + chunk * columns : nullptr);
  });
  if (sum == nullptr) return;
  for (Index chunk = 0; chunk < chunks; ++chunk) table().accumulate(sum, partial + chunk * columns, columns);
}
template void bias_activation_backward(Activation, const float*, const float*, const float*, Index, Index, float*,
                                       float*, bool);
template void bias_activation_backward(Activation, const BFloat16*, const float*, const BFloat16*, Index, Index,
                                       BFloat16*, float*, bool);

}  // namespace temper::kernels
