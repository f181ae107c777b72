#include <temper/autograd/ops/activation.hpp>

#include "framework/autograd/ops/elementwise_internal.hpp"
#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/softmax.hpp"

namespace temper {

using kernels::Unary;

namespace {

Tensor softmax_over(const char* name, const Tensor& x, int axis, bool log) {
  detail::require(name, "input", x);
  const detail::AxisView view = detail::view_of(x.shape(), detail::require_axis(name, "input", x, axis));
  Tensor y = empty(x.shape());
  if (kernels::softmax(x.data<float>(), view.outer, view.size, view.inner, log, y.mutable_data<float>())) {
    fail<ValueError>("{}: input {} has a line of nothing but -inf along axis {}", name, x.shape(), axis);
  }
  return record(name, y, {x}, [view, log, y = save(y)](const Tensor& dy, Gradients& gradients) {
    Tensor dx = empty(dy.shape());
    kernels::softmax_backward(y->data<float>(), dy.data<float>(), view.outer, view.size, view.inner, log,
                              dx.mutable_data<float>());
    gradients.give(0, dx);
  });
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

Tensor softmax(const Tensor& x, int axis) { return softmax_over("softmax", x, axis, false); }
Tensor log_softmax(const Tensor& x, int axis) { return softmax_over("log_softmax", x, axis, true); }

}  // namespace temper
