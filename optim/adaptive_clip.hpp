#pragma once

#include <temper/optim/group.hpp>

namespace temper::optim {

/// Limits the norm of every row of a gradient (of the whole gradient of a parameter with one axis) to `clipping` times
/// the norm of the row of weights, which counts as at least `eps`. Applied before clip_norm. Source: Brock et al.,
/// "High-performance large-scale image recognition without normalization" (2021), section 4.1.
struct AdaptiveClipOptions {
  double clipping = 0.01;
  double eps = 1e-3;
  Predicate skip{};  ///< parameters that are not clipped; empty: output_layers(), as published
};

}  // namespace temper::optim
