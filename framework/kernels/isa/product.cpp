#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

/// A tile of y, `rows` high and up to two vectors wide, which stays in registers while the rows of b are read one after
/// another.
template <int rows>
void tile(const float* a, Index row_a, Index column_a, const float* b, Index n, Index k, float* y, Index wide) {
  const Index low = wide < width ? wide : width, high = wide - low;
  Vec sums[rows][2];
  for (int i = 0; i < rows; ++i) {
    sums[i][0] = load_upto(y + i * n, low);
    sums[i][1] = high > 0 ? load_upto(y + i * n + width, high) : Vec(0.0f);
  }
  for (Index j = 0; j < k; ++j, b += n) {
    const Vec left = load_upto(b, low), right = high > 0 ? load_upto(b + width, high) : Vec(0.0f);
    for (int i = 0; i < rows; ++i) {
      const Vec factor(a[i * row_a + j * column_a]);
      sums[i][0] = multiply_add(factor, left, sums[i][0]);
      sums[i][1] = multiply_add(factor, right, sums[i][1]);
    }
  }
  for (int i = 0; i < rows; ++i) {
    store_upto(y + i * n, sums[i][0], low);
    if (high > 0) store_upto(y + i * n + width, sums[i][1], high);
  }
}

void product(const float* a, Index row_a, Index column_a, const float* b, Index m, Index n, Index k, float* y) {
  constexpr Index block = 256;  // rows of b, two vectors wide, that stay in the L1 cache
  for (Index first = 0; first < k; first += block, a += block * column_a, b += block * n) {
    const Index depth = k - first < block ? k - first : block;
    for (Index column = 0; column < n; column += 2 * width) {
      const Index wide = n - column < 2 * width ? n - column : 2 * width;
      Index row = 0;
      for (; row + 4 <= m; row += 4) {
        tile<4>(a + row * row_a, row_a, column_a, b + column, n, depth, y + row * n + column, wide);
      }
      for (; row < m; ++row) {
        tile<1>(a + row * row_a, row_a, column_a, b + column, n, depth, y + row * n + column, wide);
      }
    }
  }
}

constexpr void fill(IsaTable& table) { table.product = product; }

}  // namespace

constexpr IsaTable product_kernels = filled(fill);

}  // namespace temper::kernels::TEMPER_ISA
