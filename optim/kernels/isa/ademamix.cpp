#include "optim/kernels/isa/take.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

double ademamix(const AdemamixScalars& s, const TakeScalars& t, const TakeColumns& c, float* fast, float* slow,
                float* square, Index n) {
  const Vec scale(s.scale), beta1(s.beta1), rest1(s.rest1), beta2(s.beta2), rest2(s.rest2), beta3(s.beta3),
      rest3(s.rest3), per_fast(s.per_fast), alpha(s.alpha), root(s.root), eps(s.eps);
  return take(
      t, c, n,
      [=](Vec, Vec& g, Vec& m, Vec& m_slow, Vec& v) {
        g = scale * g;
        m = beta1 * m + rest1 * g;
        m_slow = beta3 * m_slow + rest3 * g;
        v = beta2 * v + (rest2 * g) * g;
        return (per_fast * m + alpha * m_slow) / (xsimd::sqrt(v) * root + eps);
      },
      fast, slow, square);
}

constexpr void fill(Table& table) { table.ademamix = ademamix; }

}  // namespace

constexpr Table ademamix_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
