#include "optim/kernels/isa/adam_rule.hpp"
#include "optim/kernels/isa/rounding.hpp"
#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

/// Updates the moments and calls finish(rule, p, m, v, more...). With AMSGrad, v is the largest v so far.
template <class Finish, class... More>
void adam_with(const AdamScalars& s, const AdamColumns& c, Index n, Finish finish, More... more) {
  const AdamRule rule(s);
  if (c.v_max == nullptr) {
    sweep(
        n,
        [=](Vec& p, Vec& g, Vec& m, Vec& v, auto&... x) {
          rule.moments(p, g, m, v);
          finish(rule, p, m, v, x...);
        },
        State{c.p}, Input{c.g}, State{c.m}, State{c.v}, more...);
  } else {
    sweep(
        n,
        [=](Vec& p, Vec& g, Vec& m, Vec& v, Vec& v_max, auto&... x) {
          rule.moments(p, g, m, v);
          v_max = max_or_nan(v_max, v);
          finish(rule, p, m, v_max, x...);
        },
        State{c.p}, Input{c.g}, State{c.m}, State{c.v}, State{c.v_max}, more...);
  }
}

void adam(const AdamScalars& s, const AdamColumns& c, Index n) {
  if (c.lost == nullptr) {
    adam_with(s, c, n, [](const AdamRule& rule, Vec& p, Vec m, Vec v) { p = p - rule.change(p, m, v); });
  } else {
    adam_with(
        s, c, n, [](const AdamRule& rule, Vec& p, Vec m, Vec v, Vec& lost) { subtract(p, rule.change(p, m, v), lost); },
        State{c.lost});
  }
}

void adam_torch(const AdamScalars& s, const AdamColumns& c, Index n) {
  adam_with(s, c, n, [](const AdamRule& rule, Vec& p, Vec m, Vec v) { p = rule.torch(p, m, v); });
}

constexpr void fill(Table& table) {
  table.adam = adam;
  table.adam_torch = adam_torch;
}

}  // namespace

constexpr Table adam_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
