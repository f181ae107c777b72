#include "optim/kernels/isa/narrow.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

void average(float* mean, const float* p, float weight, Index n) {
  sweep(
      n, [w = Vec(weight)](Vec& a, Vec& x) { a = a + w * (x - a); }, State{mean}, Input{p});
}

/// The bits of x in bfloat16, rounded to nearest even. NaN stays NaN.
Int bf16_bits(Vec x) {
  const Int bits = bits_of(x);
  const Int even = shift_right(bits, 16) & Int(1);
  const Int nearest = shift_right(bits + Int(0x7fff) + even, 16);
  const Int quiet = shift_right(bits, 16) | Int(0x40);
  return bits_of(xsimd::select(x == x, float_of(nearest), float_of(quiet)));
}

void to_bf16(const float* x, std::uint16_t* y, Index n) {
  Index i = 0;
  for (; i + width <= n; i += width) store_u16(y + i, bf16_bits(load(x + i)));
  if (i < n) {
    alignas(64) std::uint16_t part[width];
    store_u16(part, bf16_bits(load_part(x + i, n - i)));
    for (Index j = 0; i + j < n; ++j) y[i + j] = part[j];
  }
}

void look_back(float* slow_data, float* p_data, float share_of, Index n) {
  sweep(
      n,
      [share = Vec(share_of)](Vec& slow, Vec& p) {
        slow = slow + share * (p - slow);
        p = slow;
      },
      State{slow_data}, State{p_data});
}

constexpr void fill(Table& table) {
  table.average = average;
  table.look_back = look_back;
  table.to_bf16 = to_bf16;
}

}  // namespace

constexpr Table average_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
