#include <temper/nn/activation.hpp>

#include <temper/autograd/ops/dropout.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::nn {

Tensor ReLU::forward(const Tensor& x) const { return relu(x); }

std::string LeakyReLU::description() const { return fmt::format("LeakyReLU({})", negative_slope_); }
Tensor LeakyReLU::forward(const Tensor& x) const { return leaky_relu(x, negative_slope_); }

Tensor GELU::forward(const Tensor& x) const { return gelu(x, form_); }
Tensor SiLU::forward(const Tensor& x) const { return silu(x); }
Tensor Sigmoid::forward(const Tensor& x) const { return sigmoid(x); }
Tensor Tanh::forward(const Tensor& x) const { return temper::tanh(x); }
Tensor Softplus::forward(const Tensor& x) const { return softplus(x); }
Tensor Softmax::forward(const Tensor& x) const { return softmax(x); }
Tensor LogSoftmax::forward(const Tensor& x) const { return log_softmax(x); }

Dropout::Dropout(double p) : p_(p) {
  if (!(p >= 0 && p < 1)) fail<ValueError>("Dropout: probability {}, expected 0 <= p < 1", p);
}

std::string Dropout::description() const { return fmt::format("Dropout({})", p_); }
Tensor Dropout::forward(const Tensor& x) const { return dropout(x, p_); }

Tensor Flatten::forward(const Tensor& x) const { return x.rank() == 4 ? flatten_chw(x) : flatten(x, 1); }

}  // namespace temper::nn
