#include "framework/kernels/isa/fill.hpp"
#include "framework/kernels/isa/isa.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

Vec zero() { return Vec(0.0f); }

/// The sum of f(row) over the rows, in four independent chains.
template <class F>
Vec sum_of_rows(Index rows, F f) {
  Vec s0(0.0f), s1(0.0f), s2(0.0f), s3(0.0f);
  Index row = 0;
  for (; row + 4 <= rows; row += 4) {
    s0 += f(row);
    s1 += f(row + 1);
    s2 += f(row + 2);
    s3 += f(row + 3);
  }
  for (; row < rows; ++row) s0 += f(row);
  return (s0 + s1) + (s2 + s3);
}

void column_moments(const float* x, Index rows, Index cols, float* mean, float* squares) {
  const Vec share(1.0f / static_cast<float>(rows));
  for_each_vector(cols, [=](Index i, Index count) {
    const auto at = [=](Index row) { return load_upto(x + row * cols + i, count); };
    const Vec center = sum_of_rows(rows, at) * share;
    store_upto(mean + i, center, count);
    const Vec spread = sum_of_rows(rows, [=](Index row) {
      const Vec d = at(row) - center;
      return d * d;
    });
    store_upto(squares + i, spread, count);
  });
}

template <bool residual, bool relu>
void apply(const BatchNormPass& pass, Index rows, Index cols, float* y) {
  const auto [x, mean, scale, bias, added, _] = pass;
  for (Index row = 0; row < rows; ++row) {
    const Index at = row * cols;
    for_each_vector(cols, [=, x = x, mean = mean, scale = scale, bias = bias, added = added](Index i, Index count) {
      Vec v = multiply_add(load_upto(x + at + i, count) - load_upto(mean + i, count), load_upto(scale + i, count),
                           load_upto(bias + i, count));
      if constexpr (residual) v = v + load_upto(added + at + i, count);
      if constexpr (relu) v = xsimd::select(v < zero(), zero(), v);
      store_upto(y + at + i, v, count);
    });
  }
}

void batch_norm(const BatchNormPass& pass, Index rows, Index cols, float* y) {
  if (pass.residual != nullptr) {
    (pass.relu ? apply<true, true> : apply<true, false>)(pass, rows, cols, y);
  } else {
    (pass.relu ? apply<false, true> : apply<false, false>)(pass, rows, cols, y);
  }
}

/// dy, or what ReLU lets through of it.
template <bool relu>
Vec through(const BatchNormGradient& g, Index at, Index count) {
  const Vec dy = load_upto(g.dy + at, count);
  if constexpr (relu) return xsimd::select(load_upto(g.y + at, count) <= zero(), zero(), dy);
  return dy;
}

template <bool relu>
void sums(const BatchNormGradient& g, Index rows, Index cols, float* sum, float* product) {
  for_each_vector(cols, [=](Index i, Index count) {
    const Vec center = load_upto(g.mean + i, count);
    Vec products[4] = {zero(), zero(), zero(), zero()};
    const Vec total = sum_of_rows(rows, [&](Index row) {
      const Vec dz = through<relu>(g, row * cols + i, count);
      Vec& p = products[row % 4];
      p = multiply_add(dz, load_upto(g.x + row * cols + i, count) - center, p);
      return dz;
    });
    store_upto(sum + i, total, count);
    store_upto(product + i, (products[0] + products[1]) + (products[2] + products[3]), count);
  });
}

void batch_norm_sums(const BatchNormGradient& g, Index rows, Index cols, float* sum, float* product) {
  (g.y != nullptr ? sums<true> : sums<false>)(g, rows, cols, sum, product);
}

template <bool relu>
void backward(const BatchNormGradient& g, Index rows, Index cols, const BatchNormFactors& factors, float* dx,
              float* dresidual) {
  for (Index row = 0; row < rows; ++row) {
    for_each_vector(cols, [=](Index i, Index count) {
      const Index at = row * cols + i;
      const Vec dz = through<relu>(g, at, count);
      if (dx != nullptr) {
        const Vec off = load_upto(g.x + at, count) - load_upto(g.mean + i, count);
        const Vec left =
            subtract_product(dz - load_upto(factors.level + i, count), off, load_upto(factors.slope + i, count));
        store_upto(dx + at, load_upto(factors.scale + i, count) * left, count);
      }
      if (dresidual != nullptr) store_upto(dresidual + at, dz, count);
    });
  }
}

void batch_norm_backward(const BatchNormGradient& g, Index rows, Index cols, const BatchNormFactors& factors, float* dx,
                         float* dresidual) {
  (g.y != nullptr ? backward<true> : backward<false>)(g, rows, cols, factors, dx, dresidual);
}

}  // namespace

void fill_batch_norm(IsaTable& table) {
  table.column_moments = column_moments;
  table.batch_norm = batch_norm;
  table.batch_norm_sums = batch_norm_sums;
  table.batch_norm_backward = batch_norm_backward;
}

}  // namespace temper::kernels::TEMPER_ISA
