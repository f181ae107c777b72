#pragma once

#include <temper/tensor/tensor.hpp>

namespace temper {

/// While training() each element is dropped (set to 0) with probability p and the others are divided by 1 - p;
/// otherwise x itself. The mask is a function of the seed, the number of the training tape, the number of the call on
/// it and the element. Throws: ValueError unless 0 <= p < 1; ShapeError unless x is f32 or bf16.
/// Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014).
Tensor dropout(const Tensor& x, double p);

}  // namespace temper
