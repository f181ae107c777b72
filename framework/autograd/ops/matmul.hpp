#pragma once

#include <temper/autograd/ops/activation.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

struct MatmulOptions {
  bool transpose_a = false;  ///< a is [..., k, m]
  bool transpose_b = false;  ///< b is [..., n, k]
};

/// The matrix product a [..., m, k] b [..., k, n] -> [..., m, n]. The leading axes broadcast by NumPy's rule; operands
/// are copied for that, except a b that is a single matrix.
/// Throws: ShapeError when the shapes do not fit, or the elements are not both f32 or both bf16.
Tensor matmul(const Tensor& a, const Tensor& b, const MatmulOptions& options = {});

/// x weight^T + bias: x [..., in], weight [out, in], bias [out] or undefined -> [..., out].
/// With a bf16 weight, an f32 x is rounded to bf16, and the result is bf16; the bias is f32 in either case.
/// Throws: ShapeError when the shapes or the dtypes do not fit.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// linear(x, weight, bias) and an activation, fused: one pass over memory adds the bias and applies the activation, and
// one computes the gradients of both. Throws: as linear.

Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
Tensor linear_gelu(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, GeluForm form = GeluForm::erf);
Tensor linear_silu(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace temper
