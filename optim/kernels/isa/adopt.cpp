#include "optim/kernels/isa/take.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

double adopt(const AdoptScalars& s, const TakeScalars& t, const TakeColumns& c, float* m_data, float* v_data, Index n) {
  const Vec scale(s.scale), beta1(s.beta1), rest1(s.rest1), beta2(s.beta2), rest2(s.rest2), eps(s.eps), clip(s.clip);
  // The gradient is divided by the root of v before v includes it, which is what sets ADOPT apart from Adam.
  return take(
      t, c, n,
      [=](Vec, Vec& g, Vec& m, Vec& v) {
        g = scale * g;
        const Vec root = xsimd::sqrt(v);
        Vec u = g / xsimd::select(root > eps, root, eps);
        u = xsimd::select(u > clip, clip, xsimd::select(u < -clip, -clip, u));
        m = beta1 * m + rest1 * u;
        v = beta2 * v + (rest2 * g) * g;
        return m;
      },
      m_data, v_data);
}

void adopt_first(const float* g_data, float* v_data, float scale_factor, Index n) {
  sweep(
      n,
      [scale = Vec(scale_factor)](Vec& g, Vec& v) {
        g = scale * g;
        v = g * g;
      },
      Input{g_data}, State{v_data});
}

constexpr void fill(Table& table) {
  table.adopt = adopt;
  table.adopt_first = adopt_first;
}

}  // namespace

constexpr Table adopt_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
