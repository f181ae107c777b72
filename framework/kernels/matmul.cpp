#include "framework/kernels/matmul.hpp"

#include <algorithm>
#include <type_traits>

#include <temper/core/parallel.hpp>
#include <temper/core/trace.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/broadcast_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/onednn.hpp"
#include "framework/kernels/reduce.hpp"

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
  if (detail::tracing()) detail::trace_flops(shape.flops());
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
  const SumOfRows sums(rows, columns, sum != nullptr);
  const auto kernel = table_of<T>().bias_activation_backward[static_cast<std::size_t>(f)];
  parallel_chunks(columns == 0 ? 0 : rows, sums.chunk_rows(), [&](Index chunk, Index begin, Index end) {
    const Index at = begin * columns;
    kernel(x + at, bias, dy + at, end - begin, columns, dz + at, sums.part(chunk));
  });
  sums.finish(sum, accumulate);
}
template void bias_activation_backward(Activation, const float*, const float*, const float*, Index, Index, float*,
                                       float*, bool);
template void bias_activation_backward(Activation, const BFloat16*, const float*, const BFloat16*, Index, Index,
                                       BFloat16*, float*, bool);

}  // namespace temper::kernels
