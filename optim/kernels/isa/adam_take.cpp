#include "optim/kernels/isa/take.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

double adam_take(const AdamScalars& s, const TakeScalars& t, bool nesterov, const AdamColumns& c, Index n) {
  const Vec scale(s.scale), l2(s.l2), beta1(s.beta1), rest1(s.rest1), beta2(s.beta2), rest2(s.rest2), root(s.root),
      eps(s.eps);
  return take(
      t, {c.p, c.g, c.lost}, n,
      [=](Vec p, Vec& g, Vec& m, Vec& v) {
        g = scale * g + l2 * p;
        m = beta1 * m + rest1 * g;
        v = beta2 * v + (rest2 * g) * g;
        const Vec ahead = nesterov ? beta1 * m + rest1 * g : m;
        return ahead / (xsimd::sqrt(v) * root + eps);
      },
      c.m, c.v);
}

constexpr void fill(Table& table) { table.adam_take = adam_take; }

}  // namespace

constexpr Table adam_take_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
