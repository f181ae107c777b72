#pragma once

#include <temper/autograd/ops/activation.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

struct MatmulOptions {
  bool transpose_a = false;  ///< a is [..., k, m]
  bool transpose_b = false;  ///< b is [..., n, k]
};

/// The matrix product a [..., m, k] b [..., k, n] -> [..., m, n]. The leading axes broadcast by NumPy's rule; a single
/// matrix b serves them all as it is, whatever else is stretched is copied.
/// Throws: ShapeError when the shapes do not fit, or the elements are not both f32 or both bf16.
Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options = {});

/// x weight^T + bias: x [..., in], weight [out, in], bias [out] or undefined -> [..., out].
/// With a weight in bf16 x is rounded to that, if need be, and so is the result; the bias is f32 all the same.
/// Throws: ShapeError when the shapes or the dtypes do not fit.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// An activation of linear(x, weight, bias) in fewer passes over memory: one adds the bias and applies it, one takes its
// gradient and the bias's. Throws: as linear.

Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, GeluForm form = GeluForm::erf);
Tensor linear_silu(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace temper
