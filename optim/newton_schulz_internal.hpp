#pragma once

#include <cstdint>

#include <temper/optim/muon.hpp>

namespace temper::optim::detail {

/// Steps of an iteration whose options say 0.
int usual_steps(NewtonSchulz iteration);

/// x [rows, columns] becomes `scale` times nearly the closest matrix with singular values of 1.
void orthogonalize(float* x, std::int64_t rows, std::int64_t columns, NewtonSchulz iteration, int steps, double scale);

}  // namespace temper::optim::detail
