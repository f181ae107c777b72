#pragma once

// The step of a parameter along a direction: decoupled decay, cautious masking, plain or compensated rounding.

#include "optim/kernels/isa/rounding.hpp"
#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

/// Where both are positive, or both negative. (The sign of a * b would not do: the product can underflow to zero.)
static inline auto same_sign(Vec a, Vec b) {
  const Vec zero(0.0f);
  return ((a > zero) & (b > zero)) | ((a < zero) & (b < zero));
}

/// What is subtracted from p for a direction u.
struct Change {
  explicit Change(const TakeScalars& s)
      : lr(s.lr), decay(s.decay), boost(s.boost), cautious(s.cautious), cautious_decay(s.cautious_decay) {}

  Vec operator()(Vec p, Vec g, Vec u) const {
    const Vec zero(0.0f);
    Vec decayed = decay * p;
    if (cautious_decay) decayed = xsimd::select(same_sign(u, p), decayed, zero);
    if (cautious) u = xsimd::select(same_sign(u, g), u * boost, zero);
    return lr * u + decayed;
  }

  Vec lr, decay, boost;
  bool cautious, cautious_decay;
};

/// Steps along rule(p, g, states...), which scales g and updates the states; or only counts, see TakeScalars::count.
template <class Rule, class... States>
static inline double take(const TakeScalars& s, const TakeColumns& c, Index n, Rule rule, States... states) {
  if (s.count) {
    Vec agreeing(0.0f);
    sweep(
        n,
        [&](Vec& p, Vec& g, auto&... x) {
          const Vec u = rule(p, g, x...);
          agreeing = agreeing + xsimd::select(same_sign(u, g), Vec(1.0f), Vec(0.0f));
        },
        Input{c.p}, Input{c.g}, Input{states}...);
    alignas(64) float lanes[width];
    store(lanes, agreeing);
    double count = 0.0;
    for (const float lane : lanes) count += static_cast<double>(lane);
    return count;
  }
  const Change change(s);
  if (c.lost == nullptr) {
    sweep(
        n,
        [=](Vec& p, Vec& g, auto&... x) {
          const Vec u = rule(p, g, x...);
          p = p - change(p, g, u);
        },
        State{c.p}, Input{c.g}, State{states}...);
  } else {
    sweep(
        n,
        [=](Vec& p, Vec& g, Vec& lost, auto&... x) {
          const Vec u = rule(p, g, x...);
          subtract(p, change(p, g, u), lost);
        },
        State{c.p}, Input{c.g}, State{c.lost}, State{states}...);
  }
  return 0.0;
}

}  // namespace temper::optim_kernels::TEMPER_ISA
