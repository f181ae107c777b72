#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

void idle(const IdleScalars* updates, Index count, float* p_data, float* v_data, Index n) {
  const IdleScalars* const end = updates + count;
  const auto decay = [=](Vec& p) {
    for (const IdleScalars* s = updates; s < end; ++s) p = p - Vec(s->decay) * p;
  };
  const auto shrink = [=](Vec& v) {
    for (const IdleScalars* s = updates; s < end; ++s) v = Vec(s->beta2) * v;
  };
  if (p_data != nullptr) sweep(n, decay, State{p_data});
  if (v_data != nullptr) sweep(n, shrink, State{v_data});
}

constexpr void fill(Table& table) { table.idle = idle; }

}  // namespace

constexpr Table idle_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
