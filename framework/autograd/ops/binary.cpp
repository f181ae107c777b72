#include <temper/autograd/ops/binary.hpp>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/compare.hpp>
#include <temper/autograd/ops/logical.hpp>
#include <temper/autograd/ops/unary.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/elementwise.hpp"

namespace temper {

namespace {

template <class Kernel>
Tensor compute(const char* name, const char* first, const Tensor& a, const char* second, const Tensor& b,
               Kernel kernel) {
  detail::require(name, first, a);
  detail::require(name, second, b);
  Tensor y = empty(broadcast_shapes(name, a.shape(), b.shape()));
  kernel(a.data<float>(), a.shape(), b.data<float>(), b.shape(), y.mutable_data<float>(), y.shape());
  return y;
}

}  // namespace

Tensor atan2(const Tensor& y, const Tensor& x) {
  const Tensor angle = compute("atan2", "y", y, "x", x, kernels::angle);
  return record("atan2", angle, {y, x},
                differentiable([y = save(y), x = save(x)](const Tensor& dy, Gradients& gradients) {
                  const Tensor squares = square(y) + square(x);
                  const Tensor slope = dy * masked_fill(reciprocal(squares), equal(squares, scalar(0.0f)), 0.0);
                  if (gradients.wants(0)) detail::give_reduced(gradients, 0, slope * x);
                  if (gradients.wants(1)) detail::give_reduced(gradients, 1, neg(slope * y));
                }));
}

Tensor logaddexp(const Tensor& a, const Tensor& b) {
  const Tensor y = compute("logaddexp", "a", a, "b", b, kernels::log_add_exp);
  return record("logaddexp", y, {a, b},
                differentiable([a = save(a), b = save(b)](const Tensor& dy, Gradients& gradients) {
                  if (gradients.wants(0)) detail::give_reduced(gradients, 0, dy * sigmoid(a - b));
                  if (gradients.wants(1)) detail::give_reduced(gradients, 1, dy * sigmoid(b - a));
                }));
}

}  // namespace temper
