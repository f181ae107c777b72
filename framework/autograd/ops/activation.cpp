#include <temper/autograd/ops/activation.hpp>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/autograd/ops/elementwise_internal.hpp"
#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/softmax.hpp"

namespace temper {

using kernels::Parametric;
using kernels::Unary;

namespace {

Tensor softmax_over(const char* name, const Tensor& x, int axis, bool log) {
  detail::require(name, "input", x);
  const detail::AxisView view = detail::view_of(x.shape(), detail::require_axis(name, "input", x, axis));
  Tensor y = empty(x.shape());
  if (kernels::softmax(x.data<float>(), view.outer, view.size, view.inner, log, y.mutable_data<float>())) {
    fail<ValueError>("{}: input {} has a line of nothing but -inf along axis {}", name, x.shape(), axis);
  }
  return record({name, {{"axis", axis}}}, y, {x},
                differentiable([view, log, axis, y = save(y)](const Tensor& dy, Gradients& gradients) {
                  if (recording()) {
                    const auto total = [axis](const Tensor& terms) { return sum(terms, {axis}, {.keepdim = true}); };
                    return gradients.give(0, log ? dy - exp(y) * total(dy) : y * (dy - total(dy * y)));
                  }
                  Tensor dx = empty(dy.shape());
                  kernels::softmax_backward(y->data<float>(), dy.data<float>(), view.outer, view.size, view.inner, log,
                                            dx.mutable_data<float>());
                  gradients.give(0, dx);
                }));
}

}  // namespace

Tensor relu(const Tensor& x) { return detail::unary("relu", Unary::relu, x); }

Tensor leaky_relu(const Tensor& x, float negative_slope) {
  return detail::parametric("leaky_relu", kernels::Parametric::leaky_relu, x, negative_slope, 0.0f);
}

Tensor gelu(const Tensor& x, GeluForm form) {
  return detail::unary("gelu", form == GeluForm::erf ? Unary::gelu : Unary::gelu_tanh, x);
}

Tensor silu(const Tensor& x) { return detail::unary("silu", Unary::silu, x); }
Tensor sigmoid(const Tensor& x) { return detail::unary("sigmoid", Unary::sigmoid, x); }
Tensor tanh(const Tensor& x) { return detail::unary("tanh", Unary::tanh, x); }
Tensor softplus(const Tensor& x) { return detail::unary("softplus", Unary::softplus, x); }

Tensor elu(const Tensor& x, float alpha) { return detail::parametric("elu", Parametric::elu, x, alpha, 1.0f); }
Tensor selu(const Tensor& x) {
  return detail::parametric("selu", Parametric::elu, x, 1.6732632423543772f, 1.0507009873554805f);
}
Tensor celu(const Tensor& x, float alpha) {
  if (!(alpha != 0.0f)) fail<ValueError>("celu: alpha {}, expected another number than 0", alpha);
  return detail::parametric("celu", Parametric::celu, x, alpha, 0.0f);
}
Tensor mish(const Tensor& x) { return detail::unary("mish", Unary::mish, x); }
Tensor softsign(const Tensor& x) { return detail::unary("softsign", Unary::softsign, x); }
Tensor hardsigmoid(const Tensor& x) { return detail::unary("hardsigmoid", Unary::hardsigmoid, x); }
Tensor hardswish(const Tensor& x) { return detail::unary("hardswish", Unary::hardswish, x); }
Tensor hardtanh(const Tensor& x, float min, float max) {
  if (!(min <= max)) fail<ValueError>("hardtanh: from {} to {}, expected min <= max", min, max);
  return detail::parametric("hardtanh", Parametric::clamp, x, min, max);
}
Tensor relu6(const Tensor& x) { return detail::parametric("relu6", Parametric::clamp, x, 0.0f, 6.0f); }
Tensor logsigmoid(const Tensor& x) {
  detail::require_float("logsigmoid", "input", x);
  return neg(softplus(neg(x)));
}
Tensor tanhshrink(const Tensor& x) {
  detail::require_float("tanhshrink", "input", x);
  return sub(x, tanh(x));
}

Tensor softshrink(const Tensor& x, float lambda) {
  if (!(lambda >= 0.0f)) fail<ValueError>("softshrink: lambda {}, expected at least 0", lambda);
  return detail::parametric("softshrink", Parametric::softshrink, x, lambda, 0.0f);
}
Tensor hardshrink(const Tensor& x, float lambda) {
  if (!(lambda >= 0.0f)) fail<ValueError>("hardshrink: lambda {}, expected at least 0", lambda);
  return detail::parametric("hardshrink", Parametric::hardshrink, x, lambda, 0.0f);
}
Tensor threshold(const Tensor& x, float threshold, float value) {
  return detail::parametric("threshold", Parametric::threshold, x, threshold, value);
}

Tensor prelu(const Tensor& x, const Tensor& weight) {
  detail::require("prelu", "input", x);
  detail::require("prelu", "weight", weight);
  const std::int64_t channels = x.rank() > 0 ? x.size(-1) : 1;
  if (weight.rank() != 1 || (weight.numel() != 1 && weight.numel() != channels)) {
    fail<ShapeError>("prelu: weight {}, input {} expects [1] or [{}]", weight.shape(), x.shape(), channels);
  }
  const Tensor y = sub(relu(x), mul(weight, relu(neg(x))));
  return x.rank() == 0 ? reshape(y, Shape{}) : y;
}

Tensor softmax(const Tensor& x, int axis) { return softmax_over("softmax", x, axis, false); }
Tensor log_softmax(const Tensor& x, int axis) { return softmax_over("log_softmax", x, axis, true); }

}  // namespace temper
