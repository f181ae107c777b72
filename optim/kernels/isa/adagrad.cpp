#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

void adagrad(const AdagradScalars& s, float* p_data, const float* g_data, float* sum_data, Index n) {
  const Vec scale(s.scale), l2(s.l2), start(s.start), eps(s.eps), rate(s.rate);
  sweep(
      n,
      [=](Vec& p, Vec& g, Vec& sum) {
        g = scale * g + l2 * p;
        sum = sum + start + g * g;
        p = p - rate * (g / (xsimd::sqrt(sum) + eps));
      },
      State{p_data}, Input{g_data}, State{sum_data});
}

constexpr void fill(Table& table) { table.adagrad = adagrad; }

}  // namespace

constexpr Table adagrad_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
