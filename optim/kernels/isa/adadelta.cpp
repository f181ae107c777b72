#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

void adadelta(const AdadeltaScalars& s, float* p_data, const float* g_data, float* square_data, float* delta_data,
              Index n) {
  const Vec scale(s.scale), l2(s.l2), rho(s.rho), rest(s.rest), eps(s.eps), lr(s.lr);
  sweep(
      n,
      [=](Vec& p, Vec& g, Vec& square, Vec& delta) {
        g = scale * g + l2 * p;
        square = rho * square + (rest * g) * g;
        const Vec u = (xsimd::sqrt(delta + eps) / xsimd::sqrt(square + eps)) * g;
        delta = rho * delta + (rest * u) * u;
        p = p - lr * u;
      },
      State{p_data}, Input{g_data}, State{square_data}, State{delta_data});
}

constexpr void fill(Table& table) { table.adadelta = adadelta; }

}  // namespace

constexpr Table adadelta_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
