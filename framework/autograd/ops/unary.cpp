#include <temper/autograd/ops/unary.hpp>

#include "framework/autograd/ops/elementwise_internal.hpp"
#include "framework/autograd/ops/integer_internal.hpp"

namespace temper {

using kernels::Integer;
using kernels::Unary;

Tensor sin(const Tensor& x) { return detail::unary("sin", Unary::sin, x); }
Tensor cos(const Tensor& x) { return detail::unary("cos", Unary::cos, x); }
Tensor tan(const Tensor& x) { return detail::unary("tan", Unary::tan, x); }
Tensor asin(const Tensor& x) { return detail::unary("asin", Unary::asin, x); }
Tensor acos(const Tensor& x) { return detail::unary("acos", Unary::acos, x); }
Tensor atan(const Tensor& x) { return detail::unary("atan", Unary::atan, x); }
Tensor sinh(const Tensor& x) { return detail::unary("sinh", Unary::sinh, x); }
Tensor cosh(const Tensor& x) { return detail::unary("cosh", Unary::cosh, x); }
Tensor asinh(const Tensor& x) { return detail::unary("asinh", Unary::asinh, x); }
Tensor acosh(const Tensor& x) { return detail::unary("acosh", Unary::acosh, x); }
Tensor atanh(const Tensor& x) { return detail::unary("atanh", Unary::atanh, x); }
Tensor erf(const Tensor& x) { return detail::unary("erf", Unary::erf, x); }
Tensor expm1(const Tensor& x) { return detail::unary("expm1", Unary::expm1, x); }
Tensor log1p(const Tensor& x) { return detail::unary("log1p", Unary::log1p, x); }
Tensor rsqrt(const Tensor& x) { return detail::unary("rsqrt", Unary::rsqrt, x); }
Tensor reciprocal(const Tensor& x) { return detail::unary("reciprocal", Unary::reciprocal, x); }
Tensor square(const Tensor& x) {
  return detail::is_integer(x) ? detail::integer("square", Integer::mul, x, x)
                               : detail::unary("square", Unary::square, x);
}
Tensor sign(const Tensor& x) {
  return detail::is_integer(x) ? detail::integer_clamp(x, -1.0f, 1.0f) : detail::unary("sign", Unary::sign, x);
}
Tensor floor(const Tensor& x) { return detail::unary("floor", Unary::floor, x); }
Tensor ceil(const Tensor& x) { return detail::unary("ceil", Unary::ceil, x); }
Tensor round(const Tensor& x) { return detail::unary("round", Unary::round, x); }
Tensor trunc(const Tensor& x) { return detail::unary("trunc", Unary::trunc, x); }

}  // namespace temper
