#pragma once

// Cautious steps and cautious decay, for the optimizers whose kernels can take a direction so.

#include <string>

#include <temper/optim/optimizer.hpp>

#include "optim/kernels/table.hpp"

namespace temper::optim::detail {

/// The two flags, which do not depend on each other.
struct Caution {
  bool update = false;
  bool decay = false;

  explicit operator bool() const { return update || decay; }
  /// A cautious update needs to know how many elements it keeps before it takes them.
  int phases() const { return update ? 2 : 1; }
  /// For Definition::variant.
  std::string text() const { return std::string(update ? ", cautious" : "") + (decay ? ", cautious decay" : ""); }
};

/// Has `kernel` take a direction of one piece, or count its elements in the first of two phases.
/// Source: Liang et al., "Cautious optimizers: improving training with one line of code" (2024); Chen et al., "Cautious
/// weight decay" (2025).
template <class Kernel>
void take(const Piece& piece, Caution caution, double lr, double decay, Kernel kernel) {
  const bool counts = caution.update && piece.phase == 0;
  const double count = kernel(
      optim_kernels::TakeScalars{.lr = static_cast<float>(lr),
                                 .decay = static_cast<float>(decay),
                                 .boost = static_cast<float>(static_cast<double>(piece.size) / (piece.totals[0] + 1.0)),
                                 .cautious = caution.update,
                                 .cautious_decay = caution.decay,
                                 .count = counts});
  if (counts) piece.sums = {count, 0.0};
}

}  // namespace temper::optim::detail
