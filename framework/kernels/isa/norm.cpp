#include "framework/kernels/isa/fill.hpp"
#include "framework/kernels/isa/isa.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

Vec zero_past(Vec v, Index count) {
  if (count == width) return v;
  alignas(64) float lanes[width];
  v.store_aligned(lanes);
  return load_part(lanes, count);
}

void norm(const float* x, Index rows, Index cols, const float* weight, const float* bias, float eps, float* y,
          float* mean, float* inverse) {
  const double count_inverse = 1.0 / static_cast<double>(cols);
  for (Index row = 0; row < rows; ++row, x += cols, y += cols) {
    Vec center(0.0f);
    if (mean != nullptr) {
      const double sum = blocked_sum(cols, [=](Index i, Index count) { return load_upto(x + i, count); });
      mean[row] = static_cast<float>(sum * count_inverse);
      center = Vec(mean[row]);
    }
    const double squares = blocked_sum(cols, [=](Index i, Index count) {
      const Vec d = zero_past(load_upto(x + i, count) - center, count);
      return d * d;
    });
    double variance = squares * count_inverse;
    if (mutant(Mutant::layer_norm_unbiased)) variance = squares / static_cast<double>(cols - 1);
    double deviation = __builtin_sqrt(variance + static_cast<double>(eps));
    if (mutant(Mutant::layer_norm_eps_outside)) deviation = __builtin_sqrt(variance) + static_cast<double>(eps);
    const float scale = static_cast<float>(1.0 / deviation);
    inverse[row] = scale;
    for_each_vector(cols, [=](Index i, Index count) {
      Vec v = (load_upto(x + i, count) - center) * Vec(scale);
      if (weight != nullptr) v = v * load_upto(weight + i, count);
      if (bias != nullptr) v = v + load_upto(bias + i, count);
      store_upto(y + i, v, count);
    });
  }
}

void norm_backward(const float* x, const float* dy, Index rows, Index cols, const float* weight, const float* mean,
                   const float* inverse, float* dx, float* dweight, float* dbias) {
  const double count_inverse = 1.0 / static_cast<double>(cols);
  for (Index row = 0; row < rows; ++row, x += cols, dy += cols) {
    const Vec center(mean != nullptr ? mean[row] : 0.0f), scale(inverse[row]);
    const auto normalized = [=](Index i, Index count) { return (load_upto(x + i, count) - center) * scale; };
    const auto into = [=](Index i, Index count) {  // the gradient of the normalized value
      const Vec g = load_upto(dy + i, count);
      return weight != nullptr ? g * load_upto(weight + i, count) : g;
    };
    if (dx != nullptr) {
      const double along = blocked_sum(cols, [=](Index i, Index count) {
        return into(i, count) * normalized(i, count);  // lanes past count: 0 times a number
      });
      const double level =
          mean == nullptr || mutant(Mutant::layer_norm_dx_not_centered) ? 0.0 : blocked_sum(cols, into);
      const Vec a(static_cast<float>(along * count_inverse)), b(static_cast<float>(level * count_inverse));
      for_each_vector(cols, [=](Index i, Index count) {
        store_upto(dx + i, scale * subtract_product(into(i, count) - b, normalized(i, count), a), count);
      });
      dx += cols;
    }
    if (dweight != nullptr) {
      for_each_vector(cols, [=](Index i, Index count) {
        const Vec sum = load_upto(dweight + i, count);
        store_upto(dweight + i, multiply_add(load_upto(dy + i, count), normalized(i, count), sum), count);
      });
    }
    if (dbias != nullptr) {
      for_each_vector(cols, [=](Index i, Index count) {
        store_upto(dbias + i, load_upto(dbias + i, count) + load_upto(dy + i, count), count);
      });
    }
  }
}

}  // namespace

void fill_norm(IsaTable& table) {
  table.norm = norm;
  table.norm_backward = norm_backward;
}

}  // namespace temper::kernels::TEMPER_ISA
