#include "optim/kernels/isa/squares.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

void prodigy_moments(const ProdigyScalars& s, const ProdigyColumns& c, Index n, double* sums) {
  const Vec scale(s.scale), beta1(s.beta1), rest1(s.rest1), beta2(s.beta2), rest2(s.rest2), beta3(s.beta3),
      rest3(s.rest3);
  sweep(
      n,
      [=, first = s.first](Vec& p, Vec& g, Vec& m, Vec& v, Vec& sum, Vec& p0) {
        g = scale * g;
        p0 = first ? p : p0;
        m = beta1 * m + rest1 * g;
        v = beta2 * v + (rest2 * g) * g;
        sum = beta3 * sum + rest3 * g;
      },
      Input{c.p}, Input{c.g}, State{c.m}, State{c.v}, State{c.s}, State{c.p0});
  // The sums, in separate loops that read what the cache still holds.
  Dots dots;
  blocks(n, [&](auto get) {
    for (Index j = 0; j < Squares::vectors; ++j) dots.add(j, scale * get(c.g, j), get(c.p0, j) - get(c.p, j));
  });
  sums[0] = dots.total();
  Dots sizes;
  blocks(n, [&](auto get) {
    for (Index j = 0; j < Squares::vectors; ++j) sizes.add(j, xsimd::abs(get(c.s, j)), Vec(1.0f));
  });
  sums[1] = sizes.total();
}

void prodigy_apply(const ProdigyScalars& s, float epsilon, const ProdigyColumns& c, Index n) {
  const Vec rate(s.rate), decay(s.decay), eps(epsilon);
  sweep(
      n, [=](Vec& p, Vec& m, Vec& v) { p = p - (rate * (m / (xsimd::sqrt(v) + eps)) + decay * p); }, State{c.p},
      Input{c.m}, Input{c.v});
}

constexpr void fill(Table& table) {
  table.prodigy_moments = prodigy_moments;
  table.prodigy_apply = prodigy_apply;
}

}  // namespace

constexpr Table prodigy_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
