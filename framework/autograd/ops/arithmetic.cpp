#include <temper/autograd/ops/arithmetic.hpp>

#include <temper/autograd/ops/cast.hpp>

#include "framework/autograd/ops/elementwise_internal.hpp"
#include "framework/autograd/ops/integer_internal.hpp"
#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/elementwise.hpp"

namespace temper {

using detail::give_reduced;
using detail::is_integer;
using detail::require;
using kernels::Binary;
using kernels::BinaryBackward;
using kernels::Integer;
using kernels::Unary;

namespace {

/// op(a, b) without checks and unrecorded.
Tensor compute(Binary op, const Tensor& a, const Tensor& b, const Shape& shape) {
  Tensor y = empty(shape, a.dtype());
  detail::with_type(a.dtype(), [&]<class T>() {
    kernels::binary(op, a.data<T>(), a.shape(), b.data<T>(), b.shape(), y.mutable_data<T>(), shape);
  });
  return y;
}

Tensor derivative(BinaryBackward op, const Tensor& a, const Tensor& b, const Tensor& dy) {
  Tensor d = empty(dy.shape(), dy.dtype());
  detail::with_type(dy.dtype(), [&]<class T>() {
    kernels::binary_backward(op, a.data<T>(), a.shape(), b.data<T>(), b.shape(), dy.data<T>(), d.mutable_data<T>(),
                             dy.shape());
  });
  return d;
}

constexpr float nothing = -0.0f;  // x + -0.0f is x for every x, while 0.0f would turn -0.0f into 0.0f

/// factor * x + shift, unrecorded.
Tensor affine(const Tensor& x, float factor, float shift) {
  Tensor y = empty(x.shape(), x.dtype());
  detail::with_type(x.dtype(),
                    [&]<class T>() { kernels::affine(x.data<T>(), factor, shift, y.mutable_data<T>(), x.numel()); });
  return y;
}

/// Checks both operands and returns the shape of the result.
Shape checked(const char* name, const Tensor& a, const Tensor& b) {
  require(name, "a", a);
  require(name, "b", b);
  return broadcast_shapes(name, a.shape(), b.shape());
}

/// The same for operations of f32 and bf16.
Shape checked_alike(const char* name, const Tensor& a, const Tensor& b) {
  detail::require_float(name, "a", a);
  detail::require_alike(name, "b", b, "a", a);
  return broadcast_shapes(name, a.shape(), b.shape());
}

Tensor extreme(const char* name, Binary op, BinaryBackward backward, const Tensor& a, const Tensor& b) {
  const Tensor y = compute(op, a, b, checked(name, a, b));
  return record(name, y, {a, b},
                differentiable([backward, a = save(a), b = save(b)](const Tensor& dy, Gradients& gradients) {
                  const auto give = [&](int input, const Tensor& x, const Tensor& other) {
                    if (!gradients.wants(input)) return;
                    const auto slope = [&](const Tensor& d) { return derivative(backward, x, other, d); };
                    give_reduced(gradients, input, recording() ? mul(dy, slope(ones(dy.shape()))) : slope(dy));
                  };
                  give(0, a, b);
                  give(1, b, a);
                }));
}

}  // namespace

Tensor detail::affine(const char* name, const Tensor& x, double factor, double shift) {
  if (is_integer(x)) return integer_affine(name, x, factor, shift);
  require_float(name, "input", x);
  const auto slope = static_cast<float>(factor);
  return record({name, {{"factor", factor}, {"shift", shift}}}, temper::affine(x, slope, static_cast<float>(shift)),
                {x}, differentiable([slope](const Tensor& dy, Gradients& gradients) {
                  gradients.give(0, slope == 1.0f ? dy : affine("mul", dy, slope, nothing));
                }));
}

Tensor detail::over(const Tensor& x, double number) {
  if (is_integer(x)) return over(to(x, Dtype::f32), number);
  require_float("div", "input", x);
  Tensor y = empty(x.shape(), x.dtype());
  with_type(x.dtype(), [&]<class T>() {
    kernels::parametric(kernels::Parametric::over, x.data<T>(), static_cast<float>(number), 0.0f, y.mutable_data<T>(),
                        x.numel());
  });
  return record(
      {"div", {{"divisor", number}}}, y, {x},
      differentiable([number](const Tensor& dy, Gradients& gradients) { gradients.give(0, over(dy, number)); }));
}

Tensor detail::under(const Tensor& x, double number) {
  if (is_integer(x)) return under(to(x, Dtype::f32), number);
  return parametric("div", kernels::Parametric::under, x, static_cast<float>(number), 0.0f);
}

Tensor add(const Tensor& a, const Tensor& b) {
  if (is_integer(a)) return detail::integer("add", Integer::add, a, b);
  const Tensor y = compute(Binary::add, a, b, checked_alike("add", a, b));
  return record("add", y, {a, b}, differentiable([](const Tensor& dy, Gradients& gradients) {
                  if (gradients.wants(0)) give_reduced(gradients, 0, dy);
                  if (gradients.wants(1)) give_reduced(gradients, 1, dy);
                }));
}

Tensor sub(const Tensor& a, const Tensor& b) {
  if (is_integer(a)) return detail::integer("sub", Integer::sub, a, b);
  const Tensor y = compute(Binary::sub, a, b, checked_alike("sub", a, b));
  return record("sub", y, {a, b}, differentiable([](const Tensor& dy, Gradients& gradients) {
                  if (gradients.wants(0)) give_reduced(gradients, 0, dy);
                  if (gradients.wants(1)) give_reduced(gradients, 1, detail::affine("neg", dy, -1.0, nothing));
                }));
}

Tensor mul(const Tensor& a, const Tensor& b) {
  if (is_integer(a)) return detail::integer("mul", Integer::mul, a, b);
  const Tensor y = compute(Binary::mul, a, b, checked_alike("mul", a, b));
  return record("mul", y, {a, b},
                differentiable([a = save(a, {1}), b = save(b, {0})](const Tensor& dy, Gradients& gradients) {
                  if (gradients.wants(0)) give_reduced(gradients, 0, mul(dy, b));
                  if (gradients.wants(1)) give_reduced(gradients, 1, mul(dy, a));
                }));
}

Tensor div(const Tensor& a, const Tensor& b) {
  if (is_integer(a) && is_integer(b)) return div(to(a, Dtype::f32), to(b, Dtype::f32));
  const Tensor y = compute(Binary::div, a, b, checked_alike("div", a, b));
  return record(
      "div", y, {a, b}, differentiable([a = save(a, {1}), b = save(b)](const Tensor& dy, Gradients& gradients) {
        if (gradients.wants(0)) give_reduced(gradients, 0, div(dy, b));
        if (!gradients.wants(1)) return;
        give_reduced(gradients, 1,
                     recording() ? neg(div(mul(dy, div(a, b)), b)) : derivative(BinaryBackward::div_b, a, b, dy));
      }));
}

Tensor maximum(const Tensor& a, const Tensor& b) {
  if (is_integer(a)) return detail::integer("maximum", Integer::maximum, a, b);
  return extreme("maximum", Binary::maximum, BinaryBackward::maximum_a, a, b);
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  if (is_integer(a)) return detail::integer("minimum", Integer::minimum, a, b);
  return extreme("minimum", Binary::minimum, BinaryBackward::minimum_a, a, b);
}

Tensor pow(const Tensor& base, const Tensor& exponent) {
  require("pow", "base", base);
  require("pow", "exponent", exponent);
  const Shape shape = broadcast_shapes("pow", base.shape(), exponent.shape());
  Tensor y = empty(shape);
  kernels::power(base.data<float>(), base.shape(), exponent.data<float>(), exponent.shape(), y.mutable_data<float>(),
                 shape);
  return record("pow", y, {base, exponent},
                differentiable([a = save(base), b = save(exponent)](const Tensor& dy, Gradients& gradients) {
                  if (recording()) {
                    if (gradients.wants(1)) fail<TapeError>("gradient: pow has no second derivative by its exponent");
                    return give_reduced(gradients, 0, mul(dy, mul(b, pow(a, detail::affine("sub", b, 1.0, -1.0)))));
                  }
                  const auto give = [&](int input, auto backward) {
                    if (!gradients.wants(input)) return;
                    Tensor d = empty(dy.shape());
                    backward(a->data<float>(), a->shape(), b->data<float>(), b->shape(), dy.data<float>(),
                             d.mutable_data<float>(), dy.shape());
                    give_reduced(gradients, input, std::move(d));
                  };
                  give(0, kernels::power_backward_base);
                  give(1, kernels::power_backward_exponent);
                }));
}

Tensor pow(const Tensor& base, double exponent) {
  if (exponent != 2.0) return pow(base, scalar(static_cast<float>(exponent)));
  require("pow", "base", base);
  const Tensor y = compute(Binary::mul, base, base, base.shape());
  return record({"pow", {{"exponent", exponent}}}, y, {base},
                differentiable([x = save(base)](const Tensor& dy, Gradients& gradients) {
                  if (recording()) return gradients.give(0, mul(dy, detail::affine("mul", x, 2.0, nothing)));
                  Tensor dx = compute(Binary::mul, dy, x, dy.shape());
                  kernels::affine(dx.data<float>(), 2.0f, 0.0f, dx.mutable_data<float>(), dx.numel());
                  gradients.give(0, dx);
                }));
}

Tensor neg(const Tensor& x) {
  return is_integer(x) ? detail::integer_affine("neg", x, -1.0, 0.0) : detail::unary("neg", Unary::neg, x);
}
Tensor exp(const Tensor& x) { return detail::unary("exp", Unary::exp, x); }
Tensor log(const Tensor& x) { return detail::unary("log", Unary::log, x); }
Tensor sqrt(const Tensor& x) { return detail::unary("sqrt", Unary::sqrt, x); }
Tensor abs(const Tensor& x) {
  return is_integer(x) ? detail::integer("abs", Integer::maximum, x, neg(x)) : detail::unary("abs", Unary::abs, x);
}

Tensor clamp(const Tensor& x, float low, float high) {
  if (!(low <= high)) fail<ValueError>("clamp: from {} to {}, expected low <= high", low, high);
  if (is_integer(x)) return detail::integer_clamp(x, low, high);
  return detail::parametric("clamp", kernels::Parametric::clamp, x, low, high);
}

}  // namespace temper
