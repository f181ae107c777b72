#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

void muon_direction(float* g_data, float* buffer, float momentum, float rest_factor, bool nesterov, Index n) {
  const Vec mu(momentum), rest(rest_factor), direct(nesterov ? rest_factor : 0.0f), through(nesterov ? momentum : 1.0f);
  sweep(
      n,
      [=](Vec& g, Vec& buf) {
        buf = mu * buf + rest * g;
        g = direct * g + through * buf;
      },
      State{g_data}, State{buffer});
}

void scale(const float* x, float factor, float* y, Index n) {
  sweep(
      n, [f = Vec(factor)](Vec& from, Vec& to) { to = f * from; }, Input{x}, State{y});
}

void mix(float* x, float x_factor, const float* y, float y_factor, Index n) {
  sweep(
      n, [a = Vec(x_factor), b = Vec(y_factor)](Vec& to, Vec& from) { to = a * to + b * from; }, State{x}, Input{y});
}

constexpr void fill(Table& table) {
  table.muon_direction = muon_direction;
  table.scale = scale;
  table.mix = mix;
}

}  // namespace

constexpr Table muon_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
