#include "framework/kernels/matmul.hpp"

#include <algorithm>
#include <type_traits>

#include <temper/core/parallel.hpp>
#include <temper/core/trace.hpp>

#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/broadcast_internal.hpp"
#include "framework/kernels/isa.hpp"
#include "framework/kernels/matmul_internal.hpp"
#include "framework/kernels/reduce.hpp"

namespace temper::kernels {

namespace {

/// The product for k = 0: zeros, or what y holds, plus the bias.
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
  const ProductTask task(shape, bias != nullptr, onednn::type_of<X>, onednn::type_of<Y>);
  const bool done = onednn::run(task.key(), {a, b, bias, y}, [&](onednn::Program& program) {
    if (std::is_same_v<X, BFloat16>) onednn::require_bf16("matmul");
    program = onednn::choose(task, task.small());
  });
  if (!done) own_product(shape, a, b, bias, y);
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
