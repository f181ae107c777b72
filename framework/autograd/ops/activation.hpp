#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

// Functions of one tensor of any shape, f32 or (except softmax and log_softmax) bf16, elementwise except for these two.
// NaN gives NaN. All throw: ShapeError for other dtypes.

/// max(x, 0)
Tensor relu(const Tensor& x);
/// x where x > 0, else negative_slope * x.
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

/// x, or alpha * (e^x - 1) below zero. Source: Clevert et al., "Fast and accurate deep network learning by exponential
/// linear units" (2015).
Tensor elu(const Tensor& x, float alpha = 1.0f);
/// elu with the constants that keep mean 0 and variance 1. Source: Klambauer et al., "Self-normalizing neural networks"
/// (2017).
Tensor selu(const Tensor& x);
/// x, or alpha * (e^(x / alpha) - 1) below zero. Throws: ValueError for alpha 0.
/// Source: Barron, "Continuously differentiable exponential linear units" (2017).
Tensor celu(const Tensor& x, float alpha = 1.0f);
/// x * tanh(softplus(x)). Source: Misra, "Mish" (2019).
Tensor mish(const Tensor& x);
/// x / (1 + |x|)
Tensor softsign(const Tensor& x);
/// clamp(x + 3, 0, 6) / 6, and x times that. Source: Howard et al., "Searching for MobileNetV3" (2019).
Tensor hardsigmoid(const Tensor& x);
Tensor hardswish(const Tensor& x);
/// clamp(x, min, max). relu6 is clamp(x, 0, 6).
Tensor hardtanh(const Tensor& x, float min = -1.0f, float max = 1.0f);
Tensor relu6(const Tensor& x);
/// log(sigmoid(x)), without overflow.
Tensor logsigmoid(const Tensor& x);
/// x - tanh(x)
Tensor tanhshrink(const Tensor& x);
/// sign(x) * (|x| - lambda) where |x| > lambda, else 0; x where |x| > lambda, else 0. Throws: ValueError for a negative
/// lambda.
Tensor softshrink(const Tensor& x, float lambda = 0.5f);
Tensor hardshrink(const Tensor& x, float lambda = 0.5f);
/// x where x > threshold, else `value`.
Tensor threshold(const Tensor& x, float threshold, float value);
/// x where x > 0, else weight * x: weight [1], or [C] for x [..., C], is trained. x and weight are f32. Throws:
/// ShapeError for other shapes. Source: He et al., "Delving deep into rectifiers" (2015).
Tensor prelu(const Tensor& x, const Tensor& weight);

/// e^x / sum(e^x) along an axis, and its logarithm. Throws: ShapeError when there is no such axis; ValueError when
/// all numbers along it are -inf, for which softmax is undefined.
Tensor softmax(const Tensor& x, int axis = -1);
Tensor log_softmax(const Tensor& x, int axis = -1);

}  // namespace temper
