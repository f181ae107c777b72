#pragma once

// Cautious updates and cautious decay, for optimizers whose kernels take TakeScalars.

#include <string>

#include <temper/optim/optimizer.hpp>

#include "optim/kernels/table.hpp"

namespace temper::optim::detail {

/// The options `cautious` and `cautious_decay`, which are independent.
struct Caution {
  bool update = false;
  bool decay = false;

  explicit operator bool() const { return update || decay; }
  /// A cautious update takes two phases: it counts the elements to be updated, because their steps are scaled by that.
  int phases() const { return update ? 2 : 1; }
  /// The text for Definition::variant.
  std::string text() const { return std::string(update ? ", cautious" : "") + (decay ? ", cautious decay" : ""); }
};

/// The options of an optimizer, which may have one or both.
template <class Options>
Caution caution_of(const Options& options) {
  Caution caution;
  if constexpr (requires { options.cautious; }) caution.update = options.cautious;
  if constexpr (requires { options.cautious_decay; }) caution.decay = options.cautious_decay;
  return caution;
}

/// Updates a piece with `kernel`, or lets it count elements in the first of two phases.
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
