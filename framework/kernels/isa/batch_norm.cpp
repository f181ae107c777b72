#include "framework/kernels/isa/isa.hpp"
#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels::TEMPER_ISA {

namespace {

Vec zero() { return Vec(0.0f); }

/// The sum of f(row) over the rows, in four independent chains of additions.
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

template <class T>
void column_moments(const T* x, Index rows, Index cols, float* mean, float* squares) {
  const Vec inverse_count(1.0f / static_cast<float>(rows));
  for_each_vector(cols, [=](Index i, Index count) {
    const auto at = [=](Index row) { return load_upto(x + row * cols + i, count); };
    const Vec center = sum_of_rows(rows, at) * inverse_count;
    store_upto(mean + i, center, count);
    const Vec deviations = sum_of_rows(rows, [=](Index row) {
      const Vec d = at(row) - center;
      return d * d;
    });
    store_upto(squares + i, deviations, count);
  });
}

template <bool residual, bool relu, class T>
void apply(const BatchNormPass<T>& pass, Index rows, Index cols, T* y) {
  const T *x = pass.x, *added = pass.residual;
  const float *mean = pass.mean, *scale = pass.scale, *bias = pass.bias;
  for (Index row = 0; row < rows; ++row) {
    const Index at = row * cols;
    for_each_vector(cols, [=](Index i, Index count) {
      Vec v = multiply_add(load_upto(x + at + i, count) - load_upto(mean + i, count), load_upto(scale + i, count),
                           load_upto(bias + i, count));
      if constexpr (residual) v = v + load_upto(added + at + i, count);
      if constexpr (relu) v = xsimd::select(v < zero(), zero(), v);
      store_upto(y + at + i, v, count);
    });
  }
}

template <class T>
void batch_norm(const BatchNormPass<T>& pass, Index rows, Index cols, T* y) {
  if (pass.residual != nullptr) {
    (pass.relu ? apply<true, true, T> : apply<true, false, T>)(pass, rows, cols, y);
  } else {
    (pass.relu ? apply<false, true, T> : apply<false, false, T>)(pass, rows, cols, y);
  }
}

/// dz, the gradient before ReLU.
template <bool relu, class T>
Vec before_relu(const BatchNormGradient<T>& g, Index at, Index count) {
  const Vec dy = load_upto(g.dy + at, count);
  if constexpr (relu) return xsimd::select(load_upto(g.y + at, count) <= zero(), zero(), dy);
  return dy;
}

template <bool relu, class T>
void sums(const BatchNormGradient<T>& g, Index rows, Index cols, float* sum, float* product) {
  for_each_vector(cols, [=](Index i, Index count) {
    const Vec center = load_upto(g.mean + i, count);
    Vec products[4] = {zero(), zero(), zero(), zero()};
    const Vec total = sum_of_rows(rows, [&](Index row) {
      const Vec dz = before_relu<relu>(g, row * cols + i, count);
      Vec& p = products[row % 4];
      p = multiply_add(dz, load_upto(g.x + row * cols + i, count) - center, p);
      return dz;
    });
    store_upto(sum + i, total, count);
    store_upto(product + i, (products[0] + products[1]) + (products[2] + products[3]), count);
  });
}

template <class T>
void batch_norm_sums(const BatchNormGradient<T>& g, Index rows, Index cols, float* sum, float* product) {
  (g.y != nullptr ? sums<true, T> : sums<false, T>)(g, rows, cols, sum, product);
}

template <bool relu, class T>
void backward(const BatchNormGradient<T>& g, Index rows, Index cols, const BatchNormFactors& factors, T* dx,
              T* dresidual) {
  for (Index row = 0; row < rows; ++row) {
    for_each_vector(cols, [=](Index i, Index count) {
      const Index at = row * cols + i;
      const Vec dz = before_relu<relu>(g, at, count);
      if (dx != nullptr) {
        const Vec centered = load_upto(g.x + at, count) - load_upto(g.mean + i, count);
        const Vec d =
            subtract_product(dz - load_upto(factors.level + i, count), centered, load_upto(factors.slope + i, count));
        store_upto(dx + at, load_upto(factors.scale + i, count) * d, count);
      }
      if (dresidual != nullptr) store_upto(dresidual + at, dz, count);
    });
  }
}

template <class T>
void batch_norm_backward(const BatchNormGradient<T>& g, Index rows, Index cols, const BatchNormFactors& factors, T* dx,
                         T* dresidual) {
  (g.y != nullptr ? backward<true, T> : backward<false, T>)(g, rows, cols, factors, dx, dresidual);
}

template <class T>
constexpr void fill_storage(StorageTable<T>& table) {
  table.column_moments = column_moments<T>;
  table.batch_norm = batch_norm<T>;
  table.batch_norm_sums = batch_norm_sums<T>;
  table.batch_norm_backward = batch_norm_backward<T>;
}

constexpr void fill(IsaTable& table) {
  fill_storage<float>(table);
  fill_storage(table.bf16);
}

}  // namespace

constexpr IsaTable batch_norm_kernels = filled(fill);

}  // namespace temper::kernels::TEMPER_ISA
