#include "framework/kernels/elementwise.hpp"

#include <cmath>
#include <type_traits>

#include <temper/core/parallel.hpp>

#include "framework/kernels/bfloat16.hpp"
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

template <class X, class Y>
void convert(const X* x, Y* y, Index n) {
  const auto kernel = [] {
    if constexpr (std::is_same_v<Y, float>) {
      return table_of<X>().to_float;
    } else {
      return table_of<Y>().from_float;
    }
  }();
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, y + begin, end - begin); });
}
template void convert(const float*, float*, Index);
template void convert(const BFloat16*, float*, Index);
template void convert(const float*, BFloat16*, Index);

template <class T>
void unary(Unary op, const T* x, T* y, Index n) {
  const auto kernel = table_of<T>().unary[index(op)];
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, y + begin, end - begin); });
}
template void unary(Unary, const float*, float*, Index);
template void unary(Unary, const BFloat16*, BFloat16*, Index);

template <class T>
void unary_backward(Unary op, const T* x, const T* dy, T* dx, Index n) {
  const auto kernel = table_of<T>().unary_backward[index(op)];
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, dy + begin, dx + begin, end - begin); });
}
template void unary_backward(Unary, const float*, const float*, float*, Index);
template void unary_backward(Unary, const BFloat16*, const BFloat16*, BFloat16*, Index);

template <class T>
void parametric(Parametric op, const T* x, float a, float b, T* y, Index n) {
  const auto kernel = table_of<T>().parametric[index(op)];
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, a, b, y + begin, end - begin); });
}
template void parametric(Parametric, const float*, float, float, float*, Index);
template void parametric(Parametric, const BFloat16*, float, float, BFloat16*, Index);

template <class T>
void parametric_backward(Parametric op, const T* x, const T* dy, float a, float b, T* dx, Index n) {
  const auto kernel = table_of<T>().parametric_backward[index(op)];
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, dy + begin, a, b, dx + begin, end - begin); });
}
template void parametric_backward(Parametric, const float*, const float*, float, float, float*, Index);
template void parametric_backward(Parametric, const BFloat16*, const BFloat16*, float, float, BFloat16*, Index);

template <class T>
void binary(Binary op, const T* a, const Shape& a_shape, const T* b, const Shape& b_shape, T* y, const Shape& y_shape) {
  const auto kernel = table_of<T>().binary[index(op)];
  Broadcast<2>(y_shape, {&a_shape, &b_shape})
      .for_each_run([=](const auto& at, const auto& stride, Index begin, Index n) {
        kernel(a + at[0], stride[0], b + at[1], stride[1], y + begin, n);
      });
}
template void binary(Binary, const float*, const Shape&, const float*, const Shape&, float*, const Shape&);
template void binary(Binary, const BFloat16*, const Shape&, const BFloat16*, const Shape&, BFloat16*, const Shape&);

template <class T>
void binary_backward(BinaryBackward op, const T* a, const Shape& a_shape, const T* b, const Shape& b_shape, const T* dy,
                     T* d, const Shape& y_shape) {
  const auto kernel = table_of<T>().binary_backward[index(op)];
  Broadcast<2>(y_shape, {&a_shape, &b_shape})
      .for_each_run([=](const auto& at, const auto& stride, Index begin, Index n) {
        kernel(a + at[0], stride[0], b + at[1], stride[1], dy + begin, 1, d + begin, n);
      });
}
template void binary_backward(BinaryBackward, const float*, const Shape&, const float*, const Shape&, const float*,
                              float*, const Shape&);
template void binary_backward(BinaryBackward, const BFloat16*, const Shape&, const BFloat16*, const Shape&,
                              const BFloat16*, BFloat16*, const Shape&);

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

void angle(const float* y, const Shape& y_of, const float* x, const Shape& x_of, float* result, const Shape& shape) {
  binary_by_element(y, y_of, x, x_of, result, shape, [](float up, float right) { return std::atan2(up, right); });
}

void log_add_exp(const float* a, const Shape& a_shape, const float* b, const Shape& b_shape, float* y,
                 const Shape& y_shape) {
  binary_by_element(a, a_shape, b, b_shape, y, y_shape, [](float u, float v) {
    // Equal infinities have no difference.
    return u == v ? u + std::log(2.0f) : std::max(u, v) + std::log1p(std::exp(-std::abs(u - v)));
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

template <class T>
void expand(const T* x, const Shape& x_shape, float scale, T* y, const Shape& y_shape) {
  const auto affine_kernel = table_of<T>().affine;
  Broadcast<1>(y_shape, {&x_shape}).for_each_run([=](const auto& at, const auto& stride, Index begin, Index n) {
    if (stride[0] == 0) {
      std::fill_n(y + begin, n, narrowed<T>(scale * widened(x[at[0]])));
    } else {
      affine_kernel(x + at[0], scale, 0.0f, y + begin, n);
    }
  });
}
template void expand(const float*, const Shape&, float, float*, const Shape&);
template void expand(const BFloat16*, const Shape&, float, BFloat16*, const Shape&);

template <class Y, class X>
void accumulate(Y* y, const X* x, Index n) {
  const auto kernel = accumulate_kernel<Y, X>();
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(y + begin, x + begin, end - begin); });
}
template void accumulate(float*, const float*, Index);
template void accumulate(float*, const BFloat16*, Index);
template void accumulate(BFloat16*, const BFloat16*, Index);

template <class T>
void affine(const T* x, float a, float b, T* y, Index n) {
  const auto kernel = table_of<T>().affine;
  parallel_for(n, grain, [=](Index begin, Index end) { kernel(x + begin, a, b, y + begin, end - begin); });
}
template void affine(const float*, float, float, float*, Index);
template void affine(const BFloat16*, float, float, BFloat16*, Index);

}  // namespace temper::kernels
