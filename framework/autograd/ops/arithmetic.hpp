#pragma once

#include <concepts>

#include <temper/tensor/tensor.hpp>

namespace temper {

// All operands are f32 and broadcast by NumPy's rule: axes are aligned at the end, and a size of 1 stretches. Sums,
// differences, products and functions of one tensor are also there for bf16, which does not mix with f32. All throw:
// ShapeError for other dtypes and for shapes that do not broadcast.

/// a + b, a - b, a * b and a / b, element by element.
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);

/// The larger and the smaller of two; NaN when either is. Equal numbers share the gradient.
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);

/// base ^ exponent. The gradient by the exponent is NaN for a negative base.
Tensor pow(const Tensor& base, const Tensor& exponent);
Tensor pow(const Tensor& base, double exponent);

/// -x, e^x, natural logarithm, square root, absolute value (with slope 0 at 0).
Tensor neg(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor abs(const Tensor& x);

/// x where it lies from low to high, else the nearer of them; NaN stays NaN. Throws: ValueError unless low <= high.
Tensor clamp(const Tensor& x, float low, float high);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }

namespace detail {
/// The number as a tensor of x's dtype, rounded to it.
Tensor number_for(const Tensor& x, float value);
}  // namespace detail

/// A C++ number as an operand, on either side: `1 - x`, `2.5 * x`.
template <class T>
concept Number = std::integral<T> || std::floating_point<T>;

template <Number T>
Tensor operator+(const Tensor& a, T b) {
  return add(a, detail::number_for(a, static_cast<float>(b)));
}
template <Number T>
Tensor operator+(T a, const Tensor& b) {
  return add(detail::number_for(b, static_cast<float>(a)), b);
}
template <Number T>
Tensor operator-(const Tensor& a, T b) {
  return sub(a, detail::number_for(a, static_cast<float>(b)));
}
template <Number T>
Tensor operator-(T a, const Tensor& b) {
  return sub(detail::number_for(b, static_cast<float>(a)), b);
}
template <Number T>
Tensor operator*(const Tensor& a, T b) {
  return mul(a, detail::number_for(a, static_cast<float>(b)));
}
template <Number T>
Tensor operator*(T a, const Tensor& b) {
  return mul(detail::number_for(b, static_cast<float>(a)), b);
}
template <Number T>
Tensor operator/(const Tensor& a, T b) {
  return div(a, detail::number_for(a, static_cast<float>(b)));
}
template <Number T>
Tensor operator/(T a, const Tensor& b) {
  return div(detail::number_for(b, static_cast<float>(a)), b);
}

}  // namespace temper
