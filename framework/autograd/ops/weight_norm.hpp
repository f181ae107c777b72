#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

/// g * v / |v|: weights as a direction and a length for each place of an axis; v [..., n, ...] f32, g of the same shape
/// but for sizes of 1, all but that axis, as norm(v, 2, other axes, {.keepdim = true}) gives it. Throws: ShapeError
/// when the shapes or the dtypes do not fit. Source: Salimans, Kingma, "Weight normalization" (2016).
Tensor weight_norm(const Tensor& v, const Tensor& g, int axis = 0);

struct SpectralNormOptions {
  int iterations = 1;  ///< steps of the power iteration each time in training
  float eps = 1e-12f;  ///< shorter vectors are divided by it
};

/// weight / s, where s is its largest singular value as a matrix [rows, all else]. The singular vectors u [rows] and v
/// [all else] are improved in training, in place, and constants to the gradient; otherwise they are used as they are.
/// All f32. Throws: ShapeError when the shapes or the dtypes do not fit; ValueError for options out of range.
/// Source: Miyato et al., "Spectral normalization for generative adversarial networks" (2018).
Tensor spectral_norm(const Tensor& weight, Tensor u, Tensor v, const SpectralNormOptions& options = {});

}  // namespace temper
