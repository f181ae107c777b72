#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

// Functions of one tensor of any shape, f32 or (but for softmax and log_softmax) bf16. NaN comes out as NaN. All throw:
// ShapeError for other dtypes. Those down to softplus go element by element.

/// max(x, 0)
Tensor relu(const Tensor& x);
/// x above zero, negative_slope * x below.
Tensor leaky_relu(const Tensor& x, float negative_slope = 0.01f);

/// Which GELU: with the error function, or the approximation by tanh that GPT-2 uses.
enum class GeluForm { erf, tanh };

/// x * Phi(x), with Phi the standard normal distribution function.
/// Source: Hendrycks, Gimpel, "Gaussian error linear units" (2016).
Tensor gelu(const Tensor& x, GeluForm form = GeluForm::erf);
/// x * sigmoid(x)
Tensor silu(const Tensor& x);
/// 1 / (1 + e^-x)
Tensor sigmoid(const Tensor& x);
Tensor tanh(const Tensor& x);
/// log(1 + e^x)
Tensor softplus(const Tensor& x);

/// e^x / sum(e^x) along an axis, and its logarithm. Throws: ShapeError when there is no such axis; ValueError when
/// every number along it is -inf somewhere, which leaves nothing to choose from.
Tensor softmax(const Tensor& x, int axis = -1);
Tensor log_softmax(const Tensor& x, int axis = -1);

}  // namespace temper
