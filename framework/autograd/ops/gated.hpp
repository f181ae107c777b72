#pragma once

#include <temper/autograd/ops/activation.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

// Gated linear units: one half of the last axis, through a function, times the other half. x [..., 2F] to [..., F]; f32
// or bf16, computed in f32 and rounded once. Only x is kept for the gradient. All throw: ShapeError for other dtypes
// and an odd last axis. Source: Shazeer, "GLU variants improve transformer" (2020).

/// silu(first half) * second half, the gate of Llama's feed-forward layers.
Tensor swiglu(const Tensor& x);
/// gelu(first half) * second half.
Tensor geglu(const Tensor& x, GeluForm form = GeluForm::erf);
/// relu(first half) * second half.
Tensor reglu(const Tensor& x);
/// first half * sigmoid(second half), PyTorch's glu: here the second half is the gate.
/// Source: Dauphin et al., "Language modeling with gated convolutional networks" (2016).
Tensor glu(const Tensor& x);

}  // namespace temper
