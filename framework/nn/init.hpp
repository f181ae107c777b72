#pragma once

#include <cstdint>

#include <temper/tensor/tensor.hpp>

// Initial values of parameters, drawn from the generator that manual_seed seeds: Parameter(xavier_uniform({8, 4})).
// Shapes are those of weights: [out, in], or [out, in, kernel...]; the fan-in of a weight is the number of inputs that
// one output depends on, its fan-out the number of outputs that depend on one input. All throw: ValueError for weights
// of fewer than two axes and for numbers out of range.

namespace temper::nn {

/// PyTorch's initialization of linear and convolution weights and biases: uniform in +-1/sqrt(fan_in). For weights it
/// is Kaiming-uniform with a = sqrt(5).
/// Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers" (2015); torch.nn.Linear.reset_parameters.
/// Throws: ValueError when fan_in is below 1.
Tensor fan_in_uniform(const Shape& shape, std::int64_t fan_in);

/// Fan-in and fan-out of a weight.
struct Fans {
  std::int64_t in, out;
};
Fans fans_of(const Shape& shape);

/// The factor for weights before this function: tanh 5 / 3, relu sqrt(2), others 1, as PyTorch's calculate_gain.
enum class Gain { linear, tanh, relu };
double gain_of(Gain function);

/// Uniform in +-gain * sqrt(6 / (fan_in + fan_out)); normal with deviation gain * sqrt(2 / (fan_in + fan_out)).
/// Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks" (2010).
Tensor xavier_uniform(const Shape& shape, double gain = 1.0);
Tensor xavier_normal(const Shape& shape, double gain = 1.0);

/// Uniform in +-gain * sqrt(3 / fan); normal with deviation gain / sqrt(fan); fan is the fan-in.
/// Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers" (2015).
Tensor kaiming_uniform(const Shape& shape, Gain function = Gain::relu);
Tensor kaiming_normal(const Shape& shape, Gain function = Gain::relu);

/// Normal, drawn again while outside [low, high]; the bounds are values, not multiples of the deviation, as in PyTorch.
struct TruncatedNormalOptions {
  float mean = 0.0f, deviation = 1.0f, low = -2.0f, high = 2.0f;
};
Tensor truncated_normal(const Shape& shape, const TruncatedNormalOptions& options = {});

/// A weight whose rows (columns, if there are fewer of them) are orthogonal and have the length `gain`.
/// Source: Saxe, McClelland, Ganguli, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
/// networks" (2013).
Tensor orthogonal(const Shape& shape, double gain = 1.0);

}  // namespace temper::nn
