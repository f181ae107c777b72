#include <temper/nn/activations.hpp>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/gated.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::nn {

Tensor Mish::forward(const Tensor& x) const { return mish(x); }
Tensor SELU::forward(const Tensor& x) const { return selu(x); }
Tensor Softsign::forward(const Tensor& x) const { return softsign(x); }
Tensor Hardsigmoid::forward(const Tensor& x) const { return hardsigmoid(x); }
Tensor Hardswish::forward(const Tensor& x) const { return hardswish(x); }
Tensor ReLU6::forward(const Tensor& x) const { return relu6(x); }
Tensor LogSigmoid::forward(const Tensor& x) const { return logsigmoid(x); }
Tensor Tanhshrink::forward(const Tensor& x) const { return tanhshrink(x); }

std::string ELU::description() const { return fmt::format("ELU({})", alpha_); }
Tensor ELU::forward(const Tensor& x) const { return temper::elu(x, alpha_); }

std::string CELU::description() const { return fmt::format("CELU({})", alpha_); }
Tensor CELU::forward(const Tensor& x) const { return temper::celu(x, alpha_); }

std::string Softshrink::description() const { return fmt::format("Softshrink({})", lambda_); }
Tensor Softshrink::forward(const Tensor& x) const { return temper::softshrink(x, lambda_); }

std::string Hardshrink::description() const { return fmt::format("Hardshrink({})", lambda_); }
Tensor Hardshrink::forward(const Tensor& x) const { return temper::hardshrink(x, lambda_); }

std::string Hardtanh::description() const { return fmt::format("Hardtanh({}, {})", min_, max_); }
Tensor Hardtanh::forward(const Tensor& x) const { return temper::hardtanh(x, min_, max_); }

std::string Threshold::description() const { return fmt::format("Threshold({}, {})", threshold_, value_); }
Tensor Threshold::forward(const Tensor& x) const { return temper::threshold(x, threshold_, value_); }

PReLU::PReLU(std::int64_t features, float initial) {
  if (features < 1) fail<ValueError>("PReLU: {} features, expected at least 1", features);
  weight = Parameter(full({features}, initial), Role::norm_gain);  // it is not to decay
}

void PReLU::members(Members& members) const { members("weight", weight); }
std::string PReLU::description() const { return fmt::format("PReLU({})", weight.shape()[0]); }
Tensor PReLU::forward(const Tensor& x) const { return prelu(x, weight); }

Tensor GLU::forward(const Tensor& x) const { return glu(x); }

}  // namespace temper::nn
