#include "framework/autograd/ops/elementwise_internal.hpp"

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/compare.hpp>
#include <temper/autograd/ops/unary.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/elementwise.hpp"

namespace temper::detail {

namespace {

constexpr double sqrt_half = 0.70710678118654752, sqrt_two_over_pi = 0.79788456080286536;

/// f'(x) as recorded operations; `x` is the output where derivative_from_output(op).
Tensor slope(const char* name, kernels::Unary op, const Tensor& x) {
  using kernels::Unary;
  switch (op) {
    case Unary::exp: return x;
    case Unary::log: return 1.0 / x;
    case Unary::sqrt: return 0.5 / x;
    case Unary::gelu: {
      const Tensor below = 0.5 * erf(x * sqrt_half) + 0.5;  // Phi(x)
      return below + x * exp(square(x) * -0.5) * (0.5 * sqrt_two_over_pi);
    }
    case Unary::gelu_tanh: {
      const Tensor t = tanh(sqrt_two_over_pi * (x + 0.044715 * (square(x) * x)));
      return 0.5 * (1 + t) + 0.5 * sqrt_two_over_pi * (x * (1 - square(t)) * (1 + 3 * 0.044715 * square(x)));
    }
    case Unary::silu: {
      const Tensor s = sigmoid(x);
      return s * (1 + x * (1 - s));
    }
    case Unary::sigmoid: return x * (1 - x);
    case Unary::tanh: return 1 - square(x);
    case Unary::softplus: return sigmoid(x);
    case Unary::sin: return cos(x);
    case Unary::cos: return neg(sin(x));
    case Unary::tan: return 1 + square(x);
    case Unary::asin: return rsqrt(1 - square(x));
    case Unary::acos: return neg(rsqrt(1 - square(x)));
    case Unary::atan: return 1.0 / (1 + square(x));
    case Unary::sinh: return cosh(x);
    case Unary::cosh: return sinh(x);
    case Unary::asinh: return rsqrt(1 + square(x));
    case Unary::acosh: return rsqrt(square(x) - 1);
    case Unary::atanh: return 1.0 / (1 - square(x));
    case Unary::erf: return exp(neg(square(x))) * (2 * sqrt_half * sqrt_two_over_pi);
    case Unary::expm1: return exp(x);
    case Unary::log1p: return 1.0 / (1 + x);
    case Unary::rsqrt: return square(x) * x * -0.5;
    case Unary::reciprocal: return neg(square(x));
    case Unary::square: return x * 2;
    case Unary::softsign: return reciprocal(square(1 + abs(x)));
    case Unary::mish: {
      const Tensor t = tanh(softplus(x));
      return t + x * (1 - square(t)) * sigmoid(x);
    }
    case Unary::hardswish:
    case Unary::count: fail<TapeError>("gradient: {} has no second derivative", name);
    default: break;
  }
  // Made of straight lines: the slope is a constant.
  Tensor dx = converted(ones(x.shape()), x.dtype());
  with_type(x.dtype(), [&]<class T>() {
    kernels::unary_backward(op, x.data<T>(), dx.data<T>(), dx.mutable_data<T>(), dx.numel());
  });
  return dx;
}

/// f'(x) of a function of two numbers.
Tensor slope(const char* name, kernels::Parametric op, const Tensor& x, float a, float b) {
  using kernels::Parametric;
  const auto below_zero = [&](const Tensor& value, float above) {
    const Tensor positive = greater(to(stop_gradient(x), Dtype::f32), scalar(0.0f));
    return where(positive, converted(full({}, above), x.dtype()), value);
  };
  const Tensor low = op == Parametric::elu || op == Parametric::celu ? clamp(x, -INFINITY, 0.0f) : Tensor();
  switch (op) {
    case Parametric::under: return neg(under(square(x), a));
    case Parametric::elu: return below_zero(exp(low) * a * b, b);
    case Parametric::celu: return below_zero(exp(low / a), 1.0f);
    case Parametric::count: fail<TapeError>("gradient: {} has no second derivative", name);
    default: break;
  }
  Tensor dx = converted(ones(x.shape()), x.dtype());
  with_type(x.dtype(), [&]<class T>() {
    kernels::parametric_backward(op, x.data<T>(), dx.data<T>(), a, b, dx.mutable_data<T>(), dx.numel());
  });
  return dx;
}

}  // namespace

Tensor chained(const char* name, kernels::Unary op, const Tensor& x, const Tensor& dy) {
  return op == kernels::Unary::neg ? neg(dy) : mul(dy, slope(name, op, x));
}

Tensor unary(const char* name, kernels::Unary op, const Tensor& x) {
  require_float(name, "input", x);
  Tensor y = empty(x.shape(), x.dtype());
  with_type(x.dtype(), [&]<class T>() { kernels::unary(op, x.data<T>(), y.mutable_data<T>(), x.numel()); });
  const Tensor& kept = kernels::derivative_from_output(op) ? y : x;
  return record({name, {{"tanh", op == kernels::Unary::gelu_tanh}}}, y, {x},
                differentiable([name, op, kept = save(kept)](const Tensor& dy, Gradients& gradients) {
                  if (recording()) return gradients.give(0, chained(name, op, kept, dy));
                  Tensor dx = overwritable(dy);
                  with_type(dy.dtype(), [&]<class T>() {
                    kernels::unary_backward(op, kept->data<T>(), dy.data<T>(), dx.mutable_data<T>(), dx.numel());
                  });
                  gradients.give(0, dx);
                }));
}

Tensor parametric(const char* name, kernels::Parametric op, const Tensor& x, float a, float b) {
  require_float(name, "input", x);
  Tensor y = empty(x.shape(), x.dtype());
  with_type(x.dtype(), [&]<class T>() { kernels::parametric(op, x.data<T>(), a, b, y.mutable_data<T>(), x.numel()); });
  return record({name, {{"a", a}, {"b", b}}}, y, {x},
                differentiable([name, op, a, b, x = save(x)](const Tensor& dy, Gradients& gradients) {
                  if (recording()) return gradients.give(0, mul(dy, slope(name, op, x, a, b)));
                  Tensor dx = overwritable(dy);
                  with_type(dy.dtype(), [&]<class T>() {
                    kernels::parametric_backward(op, x->data<T>(), dy.data<T>(), a, b, dx.mutable_data<T>(),
                                                 dx.numel());
                  });
                  gradients.give(0, dx);
                }));
}

}  // namespace temper::detail
