#pragma once

#include <cstdint>

#include <temper/optim/muon.hpp>

namespace temper::optim::detail {

/// Default number of steps of an iteration.
int usual_steps(NewtonSchulz iteration);

/// Replaces x [rows, columns] by `scale` times an approximation of the closest matrix whose singular values are all 1.
void orthogonalize(float* x, std::int64_t rows, std::int64_t columns, NewtonSchulz iteration, int steps, double scale);

}  // namespace temper::optim::detail
