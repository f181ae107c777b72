#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

namespace {

void rmsprop(const RmspropScalars& s, const RmspropColumns& c, Index n) {
  const Vec scale(s.scale), l2(s.l2), alpha(s.alpha), rest(s.rest), eps(s.eps), momentum(s.momentum), lr(s.lr);
  const auto plain = [=](Vec p, Vec& g, Vec& v) {
    g = scale * g + l2 * p;
    v = alpha * v + (rest * g) * g;
    return g / (xsimd::sqrt(v) + eps);
  };
  const auto centered = [=](Vec p, Vec& g, Vec& v, Vec& mean) {
    g = scale * g + l2 * p;
    v = alpha * v + (rest * g) * g;
    mean = alpha * mean + rest * g;
    const Vec variance = v - mean * mean;
    return g / (xsimd::sqrt(xsimd::select(variance < Vec(0.0f), Vec(0.0f), variance)) + eps);  // keeps NaN
  };
  const auto push = [=](Vec& p, Vec& buf, Vec direction) {
    buf = momentum * buf + direction;
    p = p - lr * buf;
  };
  if (c.mean == nullptr && c.buf == nullptr) {
    sweep(
        n, [=](Vec& p, Vec& g, Vec& v) { p = p - lr * plain(p, g, v); }, State{c.p}, Input{c.g}, State{c.v});
  } else if (c.buf == nullptr) {
    sweep(
        n, [=](Vec& p, Vec& g, Vec& v, Vec& mean) { p = p - lr * centered(p, g, v, mean); }, State{c.p}, Input{c.g},
        State{c.v}, State{c.mean});
  } else if (c.mean == nullptr) {
    sweep(
        n, [=](Vec& p, Vec& g, Vec& v, Vec& buf) { push(p, buf, plain(p, g, v)); }, State{c.p}, Input{c.g}, State{c.v},
        State{c.buf});
  } else {
    sweep(
        n, [=](Vec& p, Vec& g, Vec& v, Vec& mean, Vec& buf) { push(p, buf, centered(p, g, v, mean)); }, State{c.p},
        Input{c.g}, State{c.v}, State{c.mean}, State{c.buf});
  }
}

constexpr void fill(Table& table) { table.rmsprop = rmsprop; }

}  // namespace

constexpr Table rmsprop_kernels = filled(fill);

}  // namespace temper::optim_kernels::TEMPER_ISA
