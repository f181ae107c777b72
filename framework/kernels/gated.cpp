#include "framework/kernels/gated.hpp"

#include <algorithm>

#include <temper/core/parallel.hpp>

#include "framework/kernels/isa.hpp"

namespace temper::kernels {

namespace {

constexpr Index piece = 512;  // elements computed at a time in float; their buffers stay in the L1 cache
constexpr Index grain = 1 << 13;

/// Calls f(row, first, count) for pieces of all rows, in parallel.
template <class F>
void for_each_piece(Index rows, Index width, F f) {
  if (width == 0) return;
  parallel_for(rows, std::max<Index>(1, grain / width), [&](Index begin, Index end) {
    for (Index row = begin; row < end; ++row) {
      for (Index first = 0; first < width; first += piece) f(row, first, std::min(piece, width - first));
    }
  });
}

}  // namespace

template <class T>
void gated(Unary f, Gate gate, const T* x, Index rows, Index width, T* y) {
  const Index to_gate = gate == Gate::first ? 0 : width, to_value = width - to_gate;
  const auto function = table().unary[static_cast<std::size_t>(f)];
  const auto multiply = table().binary[static_cast<std::size_t>(Binary::mul)];
  for_each_piece(rows, width, [&](Index row, Index first, Index n) {
    alignas(64) float gates[piece], values[piece];
    const T* const at = x + row * 2 * width + first;
    table_of<T>().to_float(at + to_gate, gates, n);
    table_of<T>().to_float(at + to_value, values, n);
    function(gates, gates, n);
    multiply(gates, 1, values, 1, values, n);
    table_of<T>().from_float(values, y + row * width + first, n);
  });
}
template void gated(Unary, Gate, const float*, Index, Index, float*);
template void gated(Unary, Gate, const BFloat16*, Index, Index, BFloat16*);

template <class T>
void gated_backward(Unary f, Gate gate, const T* x, const T* dy, Index rows, Index width, T* dx) {
  const Index to_gate = gate == Gate::first ? 0 : width, to_value = width - to_gate;
  const auto function = table().unary[static_cast<std::size_t>(f)];
  const auto derivative = table().unary_backward[static_cast<std::size_t>(f)];
  const auto multiply = table().binary[static_cast<std::size_t>(Binary::mul)];
  for_each_piece(rows, width, [&](Index row, Index first, Index n) {
    alignas(64) float gates[piece], outputs[piece], values[piece], gradient[piece];
    const T* const at = x + row * 2 * width + first;
    T* const d = dx + row * 2 * width + first;
    table_of<T>().to_float(at + to_gate, gates, n);
    table_of<T>().to_float(at + to_value, values, n);
    table_of<T>().to_float(dy + row * width + first, gradient, n);
    function(gates, outputs, n);
    multiply(gradient, 1, values, 1, values, n);  // the gradient of f(gate)
    derivative(derivative_from_output(f) ? outputs : gates, values, values, n);
    multiply(gradient, 1, outputs, 1, gradient, n);
    table_of<T>().from_float(values, d + to_gate, n);
    table_of<T>().from_float(gradient, d + to_value, n);
  });
}
template void gated_backward(Unary, Gate, const float*, const float*, Index, Index, float*);
template void gated_backward(Unary, Gate, const BFloat16*, const BFloat16*, Index, Index, BFloat16*);

}  // namespace temper::kernels
