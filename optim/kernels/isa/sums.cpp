#include "optim/kernels/isa/squares.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

double sum_squares(const float* x, Index n) {
  Squares squares;
  blocks(n, [&](auto get) {
    for (Index j = 0; j < Squares::vectors; ++j) squares.add(j, get(x, j));
  });
  return squares.total();
}

void change(const float* x, const float* before, Index n, double* sums) {
  Squares changes, sizes;
  blocks(n, [&](auto get) {
    for (Index j = 0; j < Squares::vectors; ++j) {
      const Vec old = get(before, j);
      changes.add(j, get(x, j) - old);
      sizes.add(j, old);
    }
  });
  sums[0] = changes.total();
  sums[1] = sizes.total();
}

constexpr void fill(Table& table) {
  table.sum_squares = sum_squares;
  table.change = change;
}

}  // namespace

constexpr Table sums_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
