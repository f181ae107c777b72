#include <temper/autograd/ops/scan.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/scan.hpp"

namespace temper {

using kernels::Scan;

namespace {

Scan scan_of(const char* name, const Tensor& x, int axis) {
  const auto [outer, size, inner] = detail::view_of(x.shape(), detail::require_axis(name, "input", x, axis));
  return {.outer = outer, .n = size, .inner = inner};
}

Tensor summed(const Scan& scan, const Tensor& x) {
  Tensor y = empty(x.shape(), x.dtype());
  if (x.dtype() == Dtype::i64) {
    kernels::cumsum(scan, x.data<std::int64_t>(), y.mutable_data<std::int64_t>());
  } else {
    detail::with_type(x.dtype(), [&]<class T>() { kernels::cumsum(scan, x.data<T>(), y.mutable_data<T>()); });
  }
  return y;
}

}  // namespace

Tensor cumsum(const Tensor& x, int axis, const CumsumOptions& options) {
  detail::require_defined("cumsum", "input", x);
  if (x.dtype() == Dtype::boolean) {
    fail<ShapeError>("cumsum: input {} is bool, expected f32, bf16 or i64", x.shape());
  }
  Scan scan = scan_of("cumsum", x, axis);
  scan.reverse = options.reverse;
  scan.exclusive = options.exclusive;
  return record({"cumsum", {{"axis", axis}, {"reverse", options.reverse}, {"exclusive", options.exclusive}}},
                summed(scan, x), {x}, [scan](const Tensor& dy, Gradients& gradients) {
                  Scan back = scan;
                  back.reverse = !scan.reverse;
                  gradients.give(0, summed(back, dy));
                });
}

Tensor cumprod(const Tensor& x, int axis) {
  detail::require("cumprod", "input", x);
  const Scan scan = scan_of("cumprod", x, axis);
  Tensor y = empty(x.shape());
  kernels::cumprod(scan, x.data<float>(), y.mutable_data<float>());
  return record("cumprod", y, {x}, [scan, x = save(x)](const Tensor& dy, Gradients& gradients) {
    Tensor dx = empty(x->shape());
    kernels::cumprod_backward(scan, x->data<float>(), dy.data<float>(), dx.mutable_data<float>());
    gradients.give(0, dx);
  });
}

Tensor logcumsumexp(const Tensor& x, int axis) {
  detail::require("logcumsumexp", "input", x);
  const Scan scan = scan_of("logcumsumexp", x, axis);
  Tensor y = empty(x.shape());
  kernels::logcumsumexp(scan, x.data<float>(), y.mutable_data<float>());
  return record("logcumsumexp", y, {x}, [scan, x = save(x), y = save(y)](const Tensor& dy, Gradients& gradients) {
    Tensor dx = empty(x->shape());
    kernels::logcumsumexp_backward(scan, x->data<float>(), y->data<float>(), dy.data<float>(),
                                   dx.mutable_data<float>());
    gradients.give(0, dx);
  });
}

}  // namespace temper
