#include <temper/nn/linear.hpp>

#include <temper/autograd/ops/matmul.hpp>
#include <temper/nn/init.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/nn/observer_internal.hpp"

namespace temper::nn {

Linear::Linear(std::int64_t in, std::int64_t out, LinearOptions options) {
  if (in < 1 || out < 1) fail<ValueError>("Linear: {} inputs and {} outputs, expected at least 1 of each", in, out);
  weight = Parameter(fan_in_uniform({out, in}, in), Role::weight);
  if (options.bias) bias = Parameter(fan_in_uniform({out}, in), Role::bias);
}

void Linear::members(Members& members) const {
  members("weight", weight);
  members("bias", bias);
}

std::string Linear::description() const {
  return fmt::format("Linear({}, {}{})", weight.shape()[1], weight.shape()[0], bias.defined() ? "" : ", no bias");
}

Tensor Linear::forward(const Tensor& x) const { return with_weight(x, weight); }
Tensor Linear::with_weight(const Tensor& x, const Tensor& other_weight) const {
  return linear(x, other_weight, optional_bias());
}

Tensor Linear::optional_bias() const { return bias.defined() ? bias.value() : Tensor(); }

// An observer is shown the layer's own output, which the fused operations do not compute.

Tensor Linear::relu(const Tensor& x) const {
  return observed() ? temper::relu((*this)(x)) : linear_relu(x, weight, optional_bias());
}

Tensor Linear::gelu(const Tensor& x, GeluForm form) const {
  return observed() ? temper::gelu((*this)(x), form) : linear_gelu(x, weight, optional_bias(), form);
}

Tensor Linear::silu(const Tensor& x) const {
  return observed() ? temper::silu((*this)(x)) : linear_silu(x, weight, optional_bias());
}

}  // namespace temper::nn
