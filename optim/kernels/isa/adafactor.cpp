#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

void add_squares(float* sums, const float* x, float factor, Index n) {
  sweep(
      n,
      [f = Vec(factor)](Vec& sum, Vec& value) {
        value = f * value;
        sum = sum + value * value;
      },
      State{sums}, Input{x});
}

void multiply(float* x, const float* y, float factor, Index n) {
  sweep(
      n, [f = Vec(factor)](Vec& to, Vec& by) { to = (f * to) * by; }, State{x}, Input{y});
}

void divide_by_root(float* g_data, float* v_data, float factor, float keep_factor, float rest_factor, float epsilon,
                    Index n) {
  const Vec scale(factor), keep(keep_factor), rest(rest_factor), eps(epsilon);
  sweep(
      n,
      [=](Vec& g, Vec& v) {
        g = scale * g;
        v = keep * v + rest * (g * g + eps);
        g = g / xsimd::sqrt(v);
      },
      State{g_data}, State{v_data});
}

constexpr void fill(Table& table) {
  table.add_squares = add_squares;
  table.multiply = multiply;
  table.divide_by_root = divide_by_root;
}

}  // namespace

constexpr Table adafactor_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
