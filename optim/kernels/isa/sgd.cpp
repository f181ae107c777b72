#include "optim/kernels/isa/rounding.hpp"
#include "optim/kernels/isa/take.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

struct Rule {
  explicit Rule(const SgdScalars& s)
      : scale(s.scale),
        l2(s.l2),
        keep(s.keep),
        take(s.take),
        direct(s.direct),
        through(s.through),
        lr(s.lr),
        decay(s.decay) {}

  Vec gradient(Vec p, Vec g) const { return scale * g + l2 * p; }
  /// With momentum.
  Vec direction(Vec p, Vec g, Vec& buf) const {
    g = gradient(p, g);
    buf = keep * buf + take * g;
    return direct * g + through * buf;
  }
  /// Step and decay in one sum, so that p is rounded once: p * (1 - lr * decay) on its own would lose small decays.
  Vec change(Vec p, Vec d) const { return lr * d + decay * p; }
  Vec torch(Vec p, Vec d) const { return p * decay - lr * d; }

  Vec scale, l2, keep, take, direct, through, lr, decay;
};

void sgd(const SgdScalars& s, const SgdColumns& c, Index n) {
  const Rule rule(s);
  if (c.buf == nullptr && c.lost == nullptr) {
    sweep(
        n, [rule](Vec& p, Vec& g) { p = p - rule.change(p, rule.gradient(p, g)); }, State{c.p}, Input{c.g});
  } else if (c.lost == nullptr) {
    sweep(
        n, [rule](Vec& p, Vec& g, Vec& buf) { p = p - rule.change(p, rule.direction(p, g, buf)); }, State{c.p},
        Input{c.g}, State{c.buf});
  } else if (c.buf == nullptr) {
    sweep(
        n, [rule](Vec& p, Vec& g, Vec& lost) { subtract(p, rule.change(p, rule.gradient(p, g)), lost); }, State{c.p},
        Input{c.g}, State{c.lost});
  } else {
    sweep(
        n,
        [rule](Vec& p, Vec& g, Vec& buf, Vec& lost) { subtract(p, rule.change(p, rule.direction(p, g, buf)), lost); },
        State{c.p}, Input{c.g}, State{c.buf}, State{c.lost});
  }
}

void sgd_torch(const SgdScalars& s, const SgdColumns& c, Index n) {
  const Rule rule(s);
  if (c.buf == nullptr) {
    sweep(
        n, [rule](Vec& p, Vec& g) { p = rule.torch(p, rule.gradient(p, g)); }, State{c.p}, Input{c.g});
  } else {
    sweep(
        n, [rule](Vec& p, Vec& g, Vec& buf) { p = rule.torch(p, rule.direction(p, g, buf)); }, State{c.p}, Input{c.g},
        State{c.buf});
  }
}

double sgd_take(const SgdScalars& s, const TakeScalars& t, const SgdColumns& c, Index n) {
  const Rule rule(s);
  if (c.buf == nullptr)
    return take(t, {c.p, c.g, c.lost}, n, [rule](Vec p, Vec& g) { return g = rule.gradient(p, g); });
  return take(
      t, {c.p, c.g, c.lost}, n,
      [rule](Vec p, Vec& g, Vec& buf) {
        g = rule.gradient(p, g);
        buf = rule.keep * buf + rule.take * g;
        return rule.direct * g + rule.through * buf;
      },
      c.buf);
}

constexpr void fill(Table& table) {
  table.sgd_take = sgd_take;
  table.sgd = sgd;
  table.sgd_torch = sgd_torch;
}

}  // namespace

constexpr Table sgd_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
