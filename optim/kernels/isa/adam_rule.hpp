#pragma once

#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

/// The arithmetic that all variants of Adam share.
struct AdamRule {
  explicit AdamRule(const AdamScalars& s)
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
  /// Step and decay in one sum, so that p is rounded once: p * (1 - lr * decay) on its own would lose small decays.
  Vec change(Vec p, Vec m, Vec v) const { return change_by_root(p, m, xsimd::sqrt(v) * root); }
  Vec change_by_root(Vec p, Vec m, Vec corrected_root) const { return rate * (m / (corrected_root + eps)) + decay * p; }
  Vec torch(Vec p, Vec m, Vec v) const { return p * decay - (rate * m) / (xsimd::sqrt(v) / root + eps); }

  Vec scale, l2, beta1, rest1, beta2, rest2, root, eps, rate, decay;
};

}  // namespace temper::optim_kernels::TEMPER_ISA
