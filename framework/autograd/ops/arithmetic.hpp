#pragma once

#include <concepts>

#include <temper/tensor/tensor.hpp>

namespace temper {

// Operands are f32 and broadcast by NumPy's rule: axes are aligned at the end, and a size of 1 stretches. The four of
// arithmetic, neg, exp, log, sqrt, abs and clamp also take bf16; the four, maximum, minimum, neg, abs and clamp also
// take i64, whose sums and products wrap around. Tensors of different dtypes do not mix, see to(). All throw:
// ShapeError for other dtypes and for shapes that do not broadcast.

/// a + b, a - b, a * b and a / b, element by element. A quotient of i64 is f32; whole ones are div(a, b, RoundingMode).
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);

/// The larger and the smaller of two; NaN when either is. Where they are equal, each gets half the gradient.
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

/// min(max(x, low), high); NaN stays NaN. Throws: ValueError unless low <= high.
Tensor clamp(const Tensor& x, float low, float high);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator-(const Tensor& x) { return neg(x); }

namespace detail {
/// factor * x + shift, x / number and number / x.
Tensor affine(const char* name, const Tensor& x, double factor, double shift);
Tensor over(const Tensor& x, double number);
Tensor under(const Tensor& x, double number);
}  // namespace detail

/// A C++ number as an operand, on either side: `1 - x`, `2.5 * x`. With bf16 tensors it is f32 as well, and only the
/// result is rounded. With i64 tensors it must be a whole number, except in a division. Throws also: ValueError else.
template <class T>
concept Number = std::integral<T> || std::floating_point<T>;

template <Number T>
Tensor operator+(const Tensor& a, T b) {
  return detail::affine("add", a, 1.0, static_cast<double>(b));
}
template <Number T>
Tensor operator+(T a, const Tensor& b) {
  return detail::affine("add", b, 1.0, static_cast<double>(a));
}
template <Number T>
Tensor operator-(const Tensor& a, T b) {
  return detail::affine("sub", a, 1.0, -static_cast<double>(b));
}
template <Number T>
Tensor operator-(T a, const Tensor& b) {
  return detail::affine("sub", b, -1.0, static_cast<double>(a));
}
template <Number T>
Tensor operator*(const Tensor& a, T b) {
  return detail::affine("mul", a, static_cast<double>(b), -0.0);
}
template <Number T>
Tensor operator*(T a, const Tensor& b) {
  return detail::affine("mul", b, static_cast<double>(a), -0.0);
}
template <Number T>
Tensor operator/(const Tensor& a, T b) {
  return detail::over(a, static_cast<double>(b));
}
template <Number T>
Tensor operator/(T a, const Tensor& b) {
  return detail::under(b, static_cast<double>(a));
}

// Shorthands for x = x + y and so forth: x refers to a new tensor afterwards; other handles of the old one keep it.

template <class T>
requires Number<T> || std::convertible_to<const T&, const Tensor&> Tensor& operator+=(Tensor& x, const T& y) {
  return x = x + y;
}
template <class T>
requires Number<T> || std::convertible_to<const T&, const Tensor&> Tensor& operator-=(Tensor& x, const T& y) {
  return x = x - y;
}
template <class T>
requires Number<T> || std::convertible_to<const T&, const Tensor&> Tensor& operator*=(Tensor& x, const T& y) {
  return x = x * y;
}
template <class T>
requires Number<T> || std::convertible_to<const T&, const Tensor&> Tensor& operator/=(Tensor& x, const T& y) {
  return x = x / y;
}

}  // namespace temper
