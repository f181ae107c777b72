#pragma once

#include <temper/optim/group.hpp>

namespace temper::optim {

/// Cuts the norm of every row of a gradient (of all of it, for one axis) to `clipping` times that of the row of
/// weights, and at least `eps` for that. Before clip_norm, which sees what is left. Source: Brock et al.,
/// "High-performance large-scale image recognition without normalization" (2021), section 4.1.
struct AdaptiveClipOptions {
  double clipping = 0.01;
  double eps = 1e-3;
  Predicate skip{};  ///< parameters that are not clipped; empty: output_layers(), as published
};

}  // namespace temper::optim
