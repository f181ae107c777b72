#include "framework/kernels/elementwise.hpp"

#include <cmath>

#include <temper/core/parallel.hpp>

#include "framework/kernels/broadcast_internal.hpp"
#include "framework/kernels/isa.hpp"

namespace temper::kernels {

namespace {

constexpr Index grain = elementwise_grain;

template <class Op>
std::size_t index(Op op) {
  return static_cast<std::size_t>(op);
}

/// y = f(a, b), one element at a time.
template <class A, class Y, class F>
void binary_by_element(const A* a, const Shape& a_shape, const A* b, const Shape& b_shape, Y* y, const Shape& y_shape,
                       F f) {
  Broadcast<2>(y_shape, {&a_shape, &b_shape})
      .for_each_run([&](const auto& at, const auto& stride, Index begin, Index n) {
        for (Index i = 0; i < n; ++i) y[begin + i] = f(a[at[0] + i * stride[0]], b[at[1] + i * stride[1]]);
      });
}

/// d = f(a, b, dy), one element at a time.
template <class F>
void backward_by_element(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, const float* dy,
                         float* d, const Shape& y_shape, F f) {
  Broadcast<2>(y_shape, {&a_shape, &b_shape})
      .for_each_run([&](const auto& at, const auto& stride, Index begin, Index n) {
        for (Index i = 0; i < n; ++i) {
          d[begin + i] = f(a[at[0] + i * stride[0]], b[at[1] + i * stride[1]], dy[begin + i]);
        }
      });
}

}  // namespace

void unary(Unary op, const float* x, float* y, Index n) {
  const auto kernel = table().unary[index(op)];
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, y + begin, end - begin); });
}

void unary_backward(Unary op, const float* x, const float* dy, float* dx, Index n) {
  const auto kernel = table().unary_backward[index(op)];
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, dy + begin, dx + begin, end - begin); });
}

void parametric(Parametric op, const float* x, float a, float b, float* y, Index n) {
  const auto kernel = table().parametric[index(op)];
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, a, b, y + begin, end - begin); });
}

void parametric_backward(Parametric op, const float* x, const float* dy, float a, float b, float* dx, Index n) {
  const auto kernel = table().parametric_backward[index(op)];
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, dy + begin, a, b, dx + begin, end - begin); });
}

void binary(Binary op, const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, float* y,
            const Shape& y_shape) {
  const auto kernel = table().binary[index(op)];
  Broadcast<2>(y_shape, {&a_shape, &b_shape})
      .for_each_run([=](const auto& at, const auto& stride, Index begin, Index n) {
        kernel(a + at[0], stride[0], b + at[1], stride[1], y + begin, n);
      });
}

void binary_backward(BinaryBackward op, const float* a, const Shape& a_shape, const float* b, const Shape& b_shape,
                     const float* dy, float* d, const Shape& y_shape) {
  const auto kernel = table().binary_backward[index(op)];
  Broadcast<2>(y_shape, {&a_shape, &b_shape})
      .for_each_run([=](const auto& at, const auto& stride, Index begin, Index n) {
        kernel(a + at[0], stride[0], b + at[1], stride[1], dy + begin, 1, d + begin, n);
      });
}

void power(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, float* y, const Shape& y_shape) {
  binary_by_element(a, a_shape, b, b_shape, y, y_shape,
                    [](float base, float exponent) { return std::pow(base, exponent); });
}

void power_backward_base(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, const float* dy,
                         float* da, const Shape& y_shape) {
  backward_by_element(a, a_shape, b, b_shape, dy, da, y_shape, [](float base, float exponent, float g) {
    // x^0 is 1 everywhere; the formula would give 0 * infinity at 0.
    return exponent == 0.0f ? 0.0f : g * exponent * std::pow(base, exponent - 1.0f);
  });
}

void power_backward_exponent(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape,
                             const float* dy, float* db, const Shape& y_shape) {
  backward_by_element(a, a_shape, b, b_shape, dy, db, y_shape, [](float base, float exponent, float g) {
    // 0^b is 0 for all b > 0; the formula would give 0 * -infinity.
    return base == 0.0f && exponent >= 0.0f ? 0.0f : g * std::pow(base, exponent) * std::log(base);
  });
}

void compare(Compare op, const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, bool* y,
             const Shape& y_shape) {
  const auto kernel = table().compare[index(op)];
  Broadcast<2>(y_shape, {&a_shape, &b_shape})
      .for_each_run([=](const auto& at, const auto& stride, Index begin, Index n) {
        kernel(a + at[0], stride[0], b + at[1], stride[1], y + begin, n);
      });
}

void compare(Compare op, const std::int64_t* a, const Shape& a_shape, const std::int64_t* b, const Shape& b_shape,
             bool* y, const Shape& y_shape) {
  binary_by_element(a, a_shape, b, b_shape, y, y_shape, [op](std::int64_t u, std::int64_t v) {
    switch (op) {
      case Compare::equal: return u == v;
      case Compare::not_equal: return u != v;
      case Compare::less: return u < v;
      default: return u <= v;
    }
  });
}

void choose(const bool* condition, const Shape& condition_shape, const float* a, const Shape& a_shape, const float* b,
            const Shape& b_shape, float* y, const Shape& y_shape) {
  const auto kernel = table().choose;
  Broadcast<3>(y_shape, {&condition_shape, &a_shape, &b_shape})
      .for_each_run([=](const auto& at, const auto& stride, Index begin, Index n) {
        kernel(condition + at[0], stride[0], a + at[1], stride[1], b + at[2], stride[2], y + begin, n);
      });
}

void expand(const float* x, const Shape& x_shape, float scale, float* y, const Shape& y_shape) {
  const auto affine_kernel = table().affine;
  Broadcast<1>(y_shape, {&x_shape}).for_each_run([=](const auto& at, const auto& stride, Index begin, Index n) {
    if (stride[0] == 0) {
      std::fill_n(y + begin, n, scale * x[at[0]]);
    } else {
      affine_kernel(x + at[0], scale, 0.0f, y + begin, n);
    }
  });
}

void accumulate(float* y, const float* x, Index n) {
  const auto kernel = table().accumulate;
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(y + begin, x + begin, end - begin); });
}

void affine(const float* x, float a, float b, float* y, Index n) {
  const auto kernel = table().affine;
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, a, b, y + begin, end - begin); });
}

}  // namespace temper::kernels
