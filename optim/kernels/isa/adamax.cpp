#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

void adamax(const AdamaxScalars& s, const AdamColumns& c, Index n) {
  const Vec scale(s.scale), l2(s.l2), beta1(s.beta1), rest1(s.rest1), beta2(s.beta2), eps(s.eps), rate(s.rate);
  sweep(
      n,
      [=](Vec& p, Vec& g, Vec& m, Vec& u) {
        g = scale * g + l2 * p;
        m = beta1 * m + rest1 * g;
        u = max_or_nan(beta2 * u, xsimd::abs(g) + eps);
        p = p - rate * (m / u);
      },
      State{c.p}, Input{c.g}, State{c.m}, State{c.v});
}

constexpr void fill(Table& table) { table.adamax = adamax; }

}  // namespace

constexpr Table adamax_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
