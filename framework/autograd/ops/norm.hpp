#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

struct NormOptions {
  float eps = 1e-5f;  ///< added to the variance, inside the square root
};

/// (x - mean) / sqrt(variance + eps) * weight + bias over the trailing axes that weight has: x [..., D], weight [D],
/// bias [D] or an undefined Tensor for none. The variance is the biased one. x may be bf16, and the result then is;
/// weight and bias are f32.
/// Throws: ShapeError when the shapes do not fit or those axes are empty; ValueError unless eps >= 0.
/// Source: Ba, Kiros, Hinton, "Layer normalization" (2016).
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, const NormOptions& options = {});

/// A sum and its norm, from add_layer_norm.
struct SumAndNorm {
  Tensor sum, norm;
};

/// x + y and layer_norm(x + y, weight, bias, options) in one pass over memory: x and y of one shape and dtype.
/// Throws: as layer_norm; ShapeError when x and y differ.
SumAndNorm add_layer_norm(const Tensor& x, const Tensor& y, const Tensor& weight, const Tensor& bias,
                          const NormOptions& options = {});

/// x / sqrt(mean(x^2) + eps) * weight over the trailing axes that weight has. Throws: as layer_norm.
/// Source: Zhang, Sennrich, "Root mean square layer normalization" (2019).
Tensor rms_norm(const Tensor& x, const Tensor& weight, const NormOptions& options = {});

}  // namespace temper
