#pragma once

#include <cmath>

#include <temper/optim/optimizer.hpp>

#include "optim/kernels/table.hpp"

namespace temper::optim::detail {

/// The scalars of an Adam update. Multiplies the running products of the betas, which give the bias corrections.
/// `beta1` is the index of the hyperparameter beta1, followed by beta2 and eps; `decay` is the fraction of p that is
/// subtracted.
inline optim_kernels::AdamScalars adam_scalars(Now& now, std::size_t beta1, double lr, double decay) {
  const double b1 = now.hyper[beta1], b2 = now.hyper[beta1 + 1], eps = now.hyper[beta1 + 2];
  now.products[0] *= b1;
  now.products[1] *= b2;
  return {.scale = static_cast<float>(now.scale),
          .l2 = 0.0f,
          .beta1 = static_cast<float>(b1),
          .rest1 = static_cast<float>(1.0 - b1),
          .beta2 = static_cast<float>(b2),
          .rest2 = static_cast<float>(1.0 - b2),
          .root = static_cast<float>(1.0 / std::sqrt(1.0 - now.products[1])),
          .eps = static_cast<float>(eps),
          .rate = static_cast<float>(lr / (1.0 - now.products[0])),
          .decay = static_cast<float>(decay)};
}

}  // namespace temper::optim::detail
