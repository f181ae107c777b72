#include <temper/autograd/ops/dropout.hpp>

#include <temper/autograd/random.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/kernels/dropout.hpp"

namespace temper {

Tensor dropout(const Tensor& x, double p) {
  detail::require_float("dropout", "input", x);
  if (!(p >= 0.0 && p < 1.0)) fail<ValueError>("dropout: p is {}, expected from 0 to below 1", p);
  if (!training() || p == 0.0) return x;
  // The backward draws the mask again, which costs less than storing and reading it.
  const detail::RandomStream stream = detail::dropout_stream();
  const auto masked = [p](const detail::RandomStream& drawn, const Tensor& from) {
    Tensor to = empty(from.shape(), from.dtype());
    detail::with_type(from.dtype(), [&]<class T>() {
      kernels::dropout(drawn, p, from.data<T>(), to.mutable_data<T>(), from.numel());
    });
    return to;
  };
  return record("dropout", masked(stream, x), {x},
                [stream, masked](const Tensor& dy, Gradients& gradients) { gradients.give(0, masked(stream, dy)); });
}

}  // namespace temper
