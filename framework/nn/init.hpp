#pragma once

#include <cstdint>

#include <temper/tensor/tensor.hpp>

namespace temper::nn {

/// PyTorch's initialization of linear and convolution weights and biases: uniform in +-1/sqrt(fan_in), fan_in being the
/// number of inputs of one output. It is Kaiming-uniform with a = sqrt(5).
/// Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers" (2015); torch.nn.Linear.reset_parameters.
/// Throws: ValueError when fan_in is below 1.
Tensor fan_in_uniform(const Shape& shape, std::int64_t fan_in);

}  // namespace temper::nn
