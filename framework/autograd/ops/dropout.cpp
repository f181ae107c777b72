#include <temper/autograd/ops/dropout.hpp>

#include <temper/autograd/random.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/dropout.hpp"

namespace temper {

Tensor dropout(const Tensor& x, double p) {
  detail::require("dropout", "input", x);
  if (!(p >= 0.0 && p < 1.0)) fail<ValueError>("dropout: p is {}, expected from 0 to below 1", p);
  if (!training() || p == 0.0) return x;
  // Drawing the mask again costs less than writing and reading it.
  const detail::RandomStream stream = detail::dropout_stream();
  Tensor y = empty(x.shape());
  kernels::dropout(stream, p, x.data<float>(), y.mutable_data<float>(), x.numel());
  return record("dropout", y, {x}, [stream, p](const Tensor& dy, Gradients& gradients) {
    Tensor dx = empty(dy.shape());
    const detail::RandomStream drawn = mutant(Mutant::dropout_other_mask) ? detail::dropout_stream() : stream;
    kernels::dropout(drawn, p, dy.data<float>(), dx.mutable_data<float>(), dy.numel());
    gradients.give(0, dx);
  });
}

}  // namespace temper
