#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/math.hpp"
#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

Vec zero() { return Vec(0.0f); }
Vec sign(Vec d) { return xsimd::select(d > zero(), Vec(1.0f), xsimd::select(d < zero(), Vec(-1.0f), d)); }

// Each loss of a prediction x and a target t, and its derivative by x.

struct Squared {
  static Vec value(Vec x, Vec t, Vec) { return (x - t) * (x - t); }
  static Vec dx(Vec x, Vec t, Vec) { return Vec(2.0f) * (x - t); }
};
struct Absolute {
  static Vec value(Vec x, Vec t, Vec) { return xsimd::abs(x - t); }
  static Vec dx(Vec x, Vec t, Vec) { return sign(x - t); }
};
struct Huber {
  static Vec value(Vec x, Vec t, Vec delta) {
    const Vec d = xsimd::abs(x - t);
    return xsimd::select(d > delta, delta * (d - Vec(0.5f) * delta), Vec(0.5f) * d * d);
  }
  static Vec dx(Vec x, Vec t, Vec delta) { return clamp(x - t, -delta, delta); }
};
struct BceWithLogits {  // -t log(s) - (1 - t) log(1 - s) with s the sigmoid of x, without its overflow
  static Vec value(Vec x, Vec t, Vec) {
    return xsimd::select(x < zero(), zero(), x) - x * t + xsimd::log1p(exponential(-xsimd::abs(x)));
  }
  static Vec dx(Vec x, Vec t, Vec) { return logistic(x) - t; }
};

template <class F>
void value(const float* x, const float* t, float delta, float* y, Index n) {
  transform(x, t, y, n, [=](Vec u, Vec v) { return F::value(u, v, Vec(delta)); });
}

template <class F>
void backward(const float* x, const float* t, float delta, const float* dy, Index stride_dy, float scale, float* dx,
              Index n) {
  for_each_vector(n, [=](Index i, Index count) {
    const Vec g = Vec(scale) * (stride_dy == 0 ? Vec(*dy) : load_upto(dy + i, count));
    store_upto(dx + i, g * F::dx(load_upto(x + i, count), load_upto(t + i, count), Vec(delta)), count);
  });
}

template <class F>
constexpr void enter(IsaTable& table, PointwiseLoss loss) {
  table.pointwise_loss[static_cast<std::size_t>(loss)] = value<F>;
  table.pointwise_loss_backward[static_cast<std::size_t>(loss)] = backward<F>;
}

constexpr void fill(IsaTable& table) {
  enter<Squared>(table, PointwiseLoss::squared);
  enter<Absolute>(table, PointwiseLoss::absolute);
  enter<Huber>(table, PointwiseLoss::huber);
  enter<BceWithLogits>(table, PointwiseLoss::bce_with_logits);
}

}  // namespace

constexpr IsaTable loss_kernels = filled(fill);

}  // namespace temper::kernels::TEMPER_ISA
