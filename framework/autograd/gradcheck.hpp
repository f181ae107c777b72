#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>

#include <temper/autograd/tape.hpp>

namespace temper {

struct GradcheckOptions {
  int directions = 8;       ///< random directions tried
  double step = 1e-2;       ///< how far along a direction of length sqrt(elements) the function is evaluated
  double tolerance = 1e-3;  ///< largest accepted error, relative to |gradient| |direction|
  std::uint64_t seed = 1;
  Mode mode = Mode::train;
};

/// Compares the gradient of f with central differences along random directions, and returns the worst error relative
/// to |gradient| |direction|. f maps tensors to one f32 tensor of any shape; a random weighting makes it a number. The
/// gradient is taken by those inputs that are f32. Random numbers that f draws are the same at each evaluation, and the
/// generator is left as it was. A right gradient of a smooth f gives about 1e-5 to 1e-4; keep inputs away from kinks
/// (of relu, say) by more than the step.
/// Throws: ValueError when an error exceeds the tolerance or is not a number, with both derivatives.
double gradcheck(const std::function<Tensor(std::span<const Tensor>)>& f, std::span<const Tensor> inputs,
                 const GradcheckOptions& options = {});
double gradcheck(const std::function<Tensor(std::span<const Tensor>)>& f, std::initializer_list<Tensor> inputs,
                 const GradcheckOptions& options = {});

}  // namespace temper
