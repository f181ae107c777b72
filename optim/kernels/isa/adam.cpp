#include "optim/kernels/isa/rounding.hpp"
#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

struct Rule {
  explicit Rule(const AdamScalars& s)
      : scale(s.scale),
        l2(s.l2),
        beta1(s.beta1),
        rest1(s.rest1),
        beta2(s.beta2),
        rest2(s.rest2),
        root(s.root),
        eps(s.eps),
        rate(s.rate),
        decay(s.decay) {}

  void moments(Vec p, Vec g, Vec& m, Vec& v) const {
    g = scale * g + l2 * p;
    m = beta1 * m + rest1 * g;
    v = beta2 * v + (rest2 * g) * g;
  }
  /// One rounding of p for step and decay together: p times (1 - lr * decay) first would lose small decays.
  Vec change(Vec p, Vec m, Vec v) const {
    if (mutant(Mutant::adam_eps_in_root)) return rate * (m / xsimd::sqrt(v * root * root + eps)) + decay * p;
    return rate * (m / (xsimd::sqrt(v) * root + eps)) + decay * p;
  }
  Vec torch(Vec p, Vec m, Vec v) const { return p * decay - (rate * m) / (xsimd::sqrt(v) / root + eps); }

  Vec scale, l2, beta1, rest1, beta2, rest2, root, eps, rate, decay;
};

/// Calls finish(rule, p, m, v, more...) on the new moments, with v the largest one so far under AMSGrad.
template <class Finish, class... More>
void adam_with(const AdamScalars& s, const AdamColumns& c, Index n, Finish finish, More... more) {
  const Rule rule(s);
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
          v_max = xsimd::max(v_max, v);
          finish(rule, p, m, v_max, x...);
        },
        State{c.p}, Input{c.g}, State{c.m}, State{c.v}, State{c.v_max}, more...);
  }
}

void adam(const AdamScalars& s, const AdamColumns& c, Index n) {
  if (c.lost == nullptr) {
    adam_with(s, c, n, [](const Rule& rule, Vec& p, Vec m, Vec v) { p = p - rule.change(p, m, v); });
  } else {
    adam_with(
        s, c, n, [](const Rule& rule, Vec& p, Vec m, Vec v, Vec& lost) { subtract(p, rule.change(p, m, v), lost); },
        State{c.lost});
  }
}

void adam_torch(const AdamScalars& s, const AdamColumns& c, Index n) {
  adam_with(s, c, n, [](const Rule& rule, Vec& p, Vec m, Vec v) { p = rule.torch(p, m, v); });
}

}  // namespace

void fill_adam(Table& table) {
  table.adam = adam;
  table.adam_torch = adam_torch;
}

}  // namespace temper::optim_kernels::TEMPER_ISA
