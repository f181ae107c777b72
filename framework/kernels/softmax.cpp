#include "framework/kernels/softmax.hpp"

#include <algorithm>
#include <atomic>

#include <temper/core/parallel.hpp>

#include "framework/kernels/isa.hpp"

namespace temper::kernels {

namespace {

constexpr Index grain = 1 << 13;
constexpr Index panel = 256;  // columns done together when the axis is not the last

/// Calls line(offset, cols) for every panel of neighbouring lines; single lines if the axis is the last.
template <class Line>
void for_each_line(Index outer, Index n, Index inner, Line line) {
  if (n == 0 || inner == 0) return;
  const Index panels = chunk_count(inner, panel);
  parallel_for(outer * panels, std::max<Index>(1, grain / (n * std::min(inner, panel))), [=](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const Index col = i % panels * panel;
      line(i / panels * n * inner + col, std::min(panel, inner - col));
    }
  });
}

}  // namespace

bool softmax(const float* x, Index outer, Index n, Index inner, bool log, float* y) {
  const auto kernel = table().softmax;
  std::atomic<bool> impossible = false;
  for_each_line(outer, n, inner, [=, &impossible](Index at, Index cols) {
    if (kernel(x + at, n, inner, cols, log, y + at)) impossible.store(true, std::memory_order_relaxed);
  });
  return impossible;
}

void softmax_backward(const float* y, const float* dy, Index outer, Index n, Index inner, bool log, float* dx) {
  const auto kernel = table().softmax_backward;
  for_each_line(outer, n, inner, [=](Index at, Index cols) { kernel(y + at, dy + at, n, inner, cols, log, dx + at); });
}

}  // namespace temper::kernels
