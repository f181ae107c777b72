#include "framework/autograd/ops/elementwise_internal.hpp"

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/elementwise.hpp"

namespace temper::detail {

Tensor unary(const char* name, kernels::Unary op, const Tensor& x) {
  require_float(name, "input", x);
  Tensor y = empty(x.shape(), x.dtype());
  with_type(x.dtype(), [&]<class T>() { kernels::unary(op, x.data<T>(), y.mutable_data<T>(), x.numel()); });
  const Tensor& kept = kernels::derivative_from_output(op) ? y : x;
  return record(name, y, {x}, [op, kept = save(kept)](const Tensor& dy, Gradients& gradients) {
    Tensor dx = overwritable(dy);
    with_type(dy.dtype(), [&]<class T>() {
      kernels::unary_backward(op, kept->data<T>(), dy.data<T>(), dx.mutable_data<T>(), dx.numel());
    });
    gradients.give(0, dx);
  });
}

Tensor parametric(const char* name, kernels::Parametric op, const Tensor& x, float a, float b) {
  require_float(name, "input", x);
  Tensor y = empty(x.shape(), x.dtype());
  with_type(x.dtype(), [&]<class T>() { kernels::parametric(op, x.data<T>(), a, b, y.mutable_data<T>(), x.numel()); });
  return record(name, y, {x}, [op, a, b, x = save(x)](const Tensor& dy, Gradients& gradients) {
    Tensor dx = overwritable(dy);
    with_type(dy.dtype(), [&]<class T>() {
      kernels::parametric_backward(op, x->data<T>(), dy.data<T>(), a, b, dx.mutable_data<T>(), dx.numel());
    });
    gradients.give(0, dx);
  });
}

}  // namespace temper::detail
