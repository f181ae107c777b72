#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

/// Adam with Nesterov momentum.
void nadam(const NAdamScalars& s, const AdamColumns& c, Index n) {
  const Vec scale(s.scale), l2(s.l2), beta1(s.beta1), rest1(s.rest1), beta2(s.beta2), rest2(s.rest2), root(s.root),
      eps(s.eps), rate_m(s.rate_m), rate_g(s.rate_g);
  sweep(
      n,
      [=](Vec& p, Vec& g, Vec& m, Vec& v) {
        g = scale * g + l2 * p;
        m = beta1 * m + rest1 * g;
        v = beta2 * v + (rest2 * g) * g;
        p = p - (rate_m * m + rate_g * g) / (xsimd::sqrt(v) * root + eps);
      },
      State{c.p}, Input{c.g}, State{c.m}, State{c.v});
}

constexpr void fill(Table& table) { table.nadam = nadam; }

}  // namespace

constexpr Table nadam_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
