#include <temper/nn/linear.hpp>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/dropout.hpp>
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
  if (!low_rank) return;
  members("lora_A.weight", low_rank->a);
  members("lora_B.weight", low_rank->b);
}

std::string Linear::description() const {
  return fmt::format("Linear({}, {}{})", weight.shape()[1], weight.shape()[0], bias.defined() ? "" : ", no bias");
}

Tensor Linear::forward(const Tensor& x) const {
  const Tensor y = with_weight(x, weight);
  if (!low_rank) return y;
  const auto& [a, b, scale, p] = *low_rank;
  const Dtype dtype = weight.value().dtype();
  // B is scaled, not the output, which is larger.
  return y + linear(linear(dropout(to(x, dtype), p), to(a, dtype)), to(scale * b, dtype));
}
Tensor Linear::with_weight(const Tensor& x, const Tensor& other_weight) const {
  return linear(x, other_weight, optional_bias());
}

Tensor Linear::optional_bias() const { return bias.defined() ? bias.value() : Tensor(); }

// An observer is shown the layer's own output, which the fused operations do not compute.
bool Linear::apart() const { return low_rank.has_value() || observed(); }

Tensor Linear::relu(const Tensor& x) const {
  return apart() ? temper::relu((*this)(x)) : linear_relu(x, weight, optional_bias());
}

Tensor Linear::gelu(const Tensor& x, GeluForm form) const {
  return apart() ? temper::gelu((*this)(x), form) : linear_gelu(x, weight, optional_bias(), form);
}

Tensor Linear::silu(const Tensor& x) const {
  return apart() ? temper::silu((*this)(x)) : linear_silu(x, weight, optional_bias());
}

}  // namespace temper::nn
