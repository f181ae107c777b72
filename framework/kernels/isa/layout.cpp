#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

void transpose_tile(const float* x, Index rows, Index cols, Index stride_x, float* y, Index stride_y) {
  Index r = 0;
  for (; r + 4 <= rows; r += 4) {
    Index c = 0;
    for (; c + 4 <= cols; c += 4) transpose_4x4(x + r * stride_x + c, stride_x, y + c * stride_y + r, stride_y);
    for (; c < cols; ++c) {
      for (Index i = r; i < r + 4; ++i) y[c * stride_y + i] = x[i * stride_x + c];
    }
  }
  for (; r < rows; ++r) {
    for (Index c = 0; c < cols; ++c) y[c * stride_y + r] = x[r * stride_x + c];
  }
}

void transpose(const float* x, Index rows, Index cols, Index stride_x, float* y, Index stride_y) {
  constexpr Index tile = 32;  // a tile of x and one of y take 8 KiB together, so they stay in the L1 cache
  for (Index r = 0; r < rows; r += tile) {
    const Index height = rows - r < tile ? rows - r : tile;
    for (Index c = 0; c < cols; c += tile) {
      const Index breadth = cols - c < tile ? cols - c : tile;
      transpose_tile(x + r * stride_x + c, height, breadth, stride_x, y + c * stride_y + r, stride_y);
    }
  }
}

constexpr void fill(IsaTable& table) { table.transpose = transpose; }

}  // namespace

constexpr IsaTable layout_kernels = filled(fill);

}  // namespace temper::kernels::TEMPER_ISA
