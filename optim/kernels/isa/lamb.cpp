#include "optim/kernels/isa/adam_rule.hpp"
#include "optim/kernels/isa/squares.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

void lamb_moments(const AdamScalars& s, const AdamColumns& c, Index n, double* sums) {
  const AdamRule rule(s);
  Squares sizes, changes;
  for (Index i = 0; i < n; i += Squares::lanes) {
    for (Index j = 0; j < Squares::vectors; ++j) {
      const Index first = i + j * width, left = n - first;
      if (left >= width) {
        const Vec p = load(c.p + first);
        Vec m = load(c.m + first), v = load(c.v + first);
        rule.moments(p, load(c.g + first), m, v);
        store(c.m + first, m);
        store(c.v + first, v);
        sizes.add(j, p);
        changes.add(j, rule.change(p, m, v));
      } else if (left > 0) {
        const Vec p = load_part(c.p + first, left);
        Vec m = load_part(c.m + first, left), v = load_part(c.v + first, left);
        rule.moments(p, load_part(c.g + first, left), m, v);
        store_part(c.m + first, m, left);
        store_part(c.v + first, v, left);
        // Stores only the lanes in use: the others are 0 / eps, which is NaN if eps is 0.
        alignas(64) float part[width] = {};
        store_part(part, rule.change(p, m, v), left);
        sizes.add(j, p);
        changes.add(j, load(part));
      }
    }
  }
  sums[0] = sizes.total();
  sums[1] = changes.total();
}

void lamb_apply(const AdamScalars& s, float trust, const AdamColumns& c, Index n) {
  sweep(
      n, [rule = AdamRule(s), t = Vec(trust)](Vec& p, Vec& m, Vec& v) { p = p - t * rule.change(p, m, v); }, State{c.p},
      Input{c.m}, Input{c.v});
}

constexpr void fill(Table& table) {
  table.lamb_moments = lamb_moments;
  table.lamb_apply = lamb_apply;
}

}  // namespace

constexpr Table lamb_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
