#include <temper/autograd/ops/gated.hpp>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/autograd/ops/elementwise_internal.hpp"
#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/gated.hpp"

namespace temper {

using kernels::Gate;
using kernels::Unary;

namespace {

Tensor gated(const char* name, Unary f, Gate gate, const Tensor& x) {
  detail::require_float(name, "input", x);
  if (x.rank() == 0 || x.size(-1) % 2 != 0) {
    fail<ShapeError>("{}: input {}, expected two halves of the same size in its last axis", name, x.shape());
  }
  const std::int64_t width = x.size(-1) / 2, rows = x.shape().without_axis(-1).numel();
  Tensor y = empty(x.shape().resized(-1, width), x.dtype());
  detail::with_type(x.dtype(),
                    [&]<class T>() { kernels::gated(f, gate, x.data<T>(), rows, width, y.mutable_data<T>()); });
  return record(
      {name, {{"tanh", f == Unary::gelu_tanh}}}, y, {x},
      differentiable([=, x = save(x)](const Tensor& dy, Gradients& gradients) {
        if (recording()) {
          const Tensor halves[2] = {slice(x, -1, 0, width), slice(x, -1, width, 2 * width)};
          const Tensor &in = halves[gate == Gate::first ? 0 : 1], &value = halves[gate == Gate::first ? 1 : 0];
          const Tensor out = detail::unary(name, f, in), dvalue = mul(dy, out);
          const Tensor din = detail::chained(name, f, kernels::derivative_from_output(f) ? out : in, mul(dy, value));
          return gradients.give(0, gate == Gate::first ? concat({din, dvalue}, -1) : concat({dvalue, din}, -1));
        }
        Tensor dx = empty(x->shape(), x->dtype());
        detail::with_type(dy.dtype(), [&]<class T>() {
          kernels::gated_backward(f, gate, x->data<T>(), dy.data<T>(), rows, width, dx.mutable_data<T>());
        });
        gradients.give(0, std::move(dx));
      }));
}

}  // namespace

Tensor swiglu(const Tensor& x) { return gated("swiglu", Unary::silu, Gate::first, x); }
Tensor geglu(const Tensor& x, GeluForm form) {
  return gated("geglu", form == GeluForm::erf ? Unary::gelu : Unary::gelu_tanh, Gate::first, x);
}
Tensor reglu(const Tensor& x) { return gated("reglu", Unary::relu, Gate::first, x); }
Tensor glu(const Tensor& x) { return gated("glu", Unary::sigmoid, Gate::second, x); }

}  // namespace temper
