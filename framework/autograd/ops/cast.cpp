#include <temper/autograd/ops/cast.hpp>

#include "framework/autograd/ops/ops_internal.hpp"

namespace temper {

Tensor to(const Tensor& x, Dtype dtype) {
  detail::require_float("to", "input", x);
  if (dtype != Dtype::f32 && dtype != Dtype::bf16) {
    fail<ShapeError>("to: input {} {} to {}, expected f32 or bf16", x.dtype(), x.shape(), dtype);
  }
  if (x.dtype() == dtype) return x;
  return record("to", detail::converted(x, dtype), {x}, [](const Tensor& dy, Gradients& gradients) {
    gradients.give(0, detail::converted(dy, Dtype::f32));  // accepted for a tensor of either dtype
  });
}

}  // namespace temper
