#include "framework/kernels/elementwise.hpp"

#include <array>

#include <temper/core/parallel.hpp>

#include "framework/kernels/isa.hpp"

namespace temper::kernels {

namespace {

constexpr Index grain = 1 << 14;  // elements a chunk: some microseconds of work

/// One axis of a broadcast: its size and how far each operand moves along it (0 where it is stretched).
struct Axis {
  Index size;
  Index a, b;
};

struct Broadcast {
  std::array<Axis, Shape::max_rank> axes;  // outermost first, neighbours that move alike merged
  int rank = 0;
};

Broadcast plan(const Shape& a, const Shape& b, const Shape& y) {
  Broadcast result;
  Index stride_a = 1, stride_b = 1;
  std::array<Axis, Shape::max_rank> reversed;
  int rank = 0;
  for (int back = 1; back <= y.rank(); ++back) {
    const Index size = y[-back];
    const Index size_a = back <= a.rank() ? a[-back] : 1;
    const Index size_b = back <= b.rank() ? b[-back] : 1;
    const Axis axis{size, size_a == 1 ? 0 : stride_a, size_b == 1 ? 0 : stride_b};
    stride_a *= size_a;
    stride_b *= size_b;
    if (size == 1) continue;
    if (rank > 0) {
      Axis& inner = reversed[static_cast<std::size_t>(rank - 1)];
      if (axis.a == inner.a * inner.size && axis.b == inner.b * inner.size) {
        inner.size *= size;
        continue;
      }
    }
    reversed[static_cast<std::size_t>(rank++)] = axis;
  }
  for (int i = 0; i < rank; ++i)
    result.axes[static_cast<std::size_t>(i)] = reversed[static_cast<std::size_t>(rank - 1 - i)];
  result.rank = rank;
  return result;
}

}  // namespace

void unary(Unary op, const float* x, float* y, Index n) {
  const auto kernel = table().unary[static_cast<std::size_t>(op)];
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, y + begin, end - begin); });
}

void unary_backward(Unary op, const float* x, const float* dy, float* dx, Index n) {
  const auto kernel = table().unary_backward[static_cast<std::size_t>(op)];
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, dy + begin, dx + begin, end - begin); });
}

void binary(Binary op, const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, float* y,
            const Shape& y_shape) {
  const Index n = y_shape.numel();
  if (n == 0) return;
  const auto kernel = table().binary[static_cast<std::size_t>(op)];
  const Broadcast broadcast = plan(a_shape, b_shape, y_shape);
  if (broadcast.rank == 0) {
    kernel(a, 1, b, 1, y, 1);
    return;
  }
  // Runs along the innermost axis, cut so that a chunk is never longer than the grain.
  const Axis inner = broadcast.axes[static_cast<std::size_t>(broadcast.rank - 1)];
  const Index pieces = chunk_count(inner.size, grain);
  const Index outer = n / inner.size;
  const Index runs = outer * pieces;
  const Index runs_per_chunk = pieces > 1 ? 1 : std::max<Index>(1, grain / inner.size);
  parallel_for(runs, runs_per_chunk, [&](Index begin, Index end) {
    for (Index run = begin; run < end; ++run) {
      const Index row = run / pieces, first = run % pieces * grain;
      Index offset_a = first * inner.a, offset_b = first * inner.b, rest = row;
      for (int i = broadcast.rank - 2; i >= 0; --i) {
        const Axis& axis = broadcast.axes[static_cast<std::size_t>(i)];
        offset_a += rest % axis.size * axis.a;
        offset_b += rest % axis.size * axis.b;
        rest /= axis.size;
      }
      kernel(a + offset_a, inner.a, b + offset_b, inner.b, y + row * inner.size + first,
             std::min(grain, inner.size - first));
    }
  });
}

void accumulate(float* y, const float* x, Index n) {
  const auto kernel = table().accumulate;
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(y + begin, x + begin, end - begin); });
}

void affine(const float* x, float a, float b, float* y, Index n) {
  const auto kernel = table().affine;
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, a, b, y + begin, end - begin); });
}

}  // namespace temper::kernels
