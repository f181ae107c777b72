#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

/// The step of y and z along a direction u.
struct Rule {
  explicit Rule(const ScheduleFreeScalars& s) : first(s.first), pull(s.pull), push(s.push), lr(s.lr), decay(s.decay) {}

  void operator()(Vec& y, Vec& z, Vec u) const {
    z = first ? y : z;
    u = u + decay * y;
    y = y + (pull * (z - y) + push * u);
    z = z - lr * u;
  }

  bool first;
  Vec pull, push, lr, decay;
};

void schedule_free(const ScheduleFreeScalars& s, float* y_data, const float* g_data, float* z_data, float* v_data,
                   Index n) {
  const Rule rule(s);
  const Vec scale(s.scale), beta2(s.beta2), rest2(s.rest2), root(s.root), eps(s.eps);
  if (v_data == nullptr) {
    sweep(
        n, [=](Vec& y, Vec& g, Vec& z) { rule(y, z, scale * g); }, State{y_data}, Input{g_data}, State{z_data});
    return;
  }
  sweep(
      n,
      [=](Vec& y, Vec& g, Vec& z, Vec& v) {
        g = scale * g;
        v = beta2 * v + (rest2 * g) * g;
        rule(y, z, g / (xsimd::sqrt(v) * root + eps));
      },
      State{y_data}, Input{g_data}, State{z_data}, State{v_data});
}

constexpr void fill(Table& table) { table.schedule_free = schedule_free; }

}  // namespace

constexpr Table schedule_free_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
