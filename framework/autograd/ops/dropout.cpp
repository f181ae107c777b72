#include <temper/autograd/ops/dropout.hpp>

#include <temper/autograd/random.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/dropout.hpp"

namespace temper {

namespace {

/// The backward draws the mask again, which costs less than storing and reading it.
Tensor drop(const detail::RandomStream& stream, double p, const Tensor& x) {
  Tensor y = empty(x.shape(), x.dtype());
  detail::with_type(x.dtype(),
                    [&]<class T>() { kernels::dropout(stream, p, x.data<T>(), y.mutable_data<T>(), x.numel()); });
  return record("dropout", y, {x}, differentiable([stream, p](const Tensor& dy, Gradients& gradients) {
                  gradients.give(0, drop(stream, p, dy));
                }));
}

}  // namespace

Tensor dropout(const Tensor& x, double p) {
  detail::require_float("dropout", "input", x);
  if (!(p >= 0.0 && p < 1.0)) fail<ValueError>("dropout: p is {}, expected from 0 to below 1", p);
  if (!training() || p == 0.0) return x;
  return drop(detail::dropout_stream(), p, x);
}

}  // namespace temper
