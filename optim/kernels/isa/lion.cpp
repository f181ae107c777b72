#include "optim/kernels/isa/take.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

/// 1, 0 or -1; NaN stays NaN.
Vec sign(Vec x) {
  const Vec zero(0.0f);
  return xsimd::select(x > zero, Vec(1.0f), xsimd::select(x < zero, Vec(-1.0f), x));
}

void lion(const LionScalars& s, float* p_data, const float* g_data, float* m_data, Index n) {
  const Vec scale(s.scale), beta1(s.beta1), rest1(s.rest1), beta2(s.beta2), rest2(s.rest2), lr(s.lr), decay(s.decay);
  sweep(
      n,
      [=](Vec& p, Vec& g, Vec& m) {
        g = scale * g;
        p = p - (lr * sign(beta1 * m + rest1 * g) + decay * p);
        m = beta2 * m + rest2 * g;
      },
      State{p_data}, Input{g_data}, State{m_data});
}

double lion_take(const LionScalars& s, const TakeScalars& t, const TakeColumns& c, float* m_data, Index n) {
  const Vec scale(s.scale), beta1(s.beta1), rest1(s.rest1), beta2(s.beta2), rest2(s.rest2);
  return take(
      t, c, n,
      [=](Vec, Vec& g, Vec& m) {
        g = scale * g;
        const Vec u = sign(beta1 * m + rest1 * g);
        m = beta2 * m + rest2 * g;
        return u;
      },
      m_data);
}

constexpr void fill(Table& table) {
  table.lion = lion;
  table.lion_take = lion_take;
}

}  // namespace

constexpr Table lion_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
