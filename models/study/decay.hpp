#pragma once

#include <string>
#include <vector>

#include "models/study/study.hpp"

namespace temper::study {

/// The name of vanilla SGD at a rate that is a power of two: products with it round nothing.
inline constexpr const char* exact_sgd = "SGD, lr 1/16";

/// Compares two runs that differ only in their weight decay.
struct DecayComparison {
  std::string first_recipe;
  double decay;               ///< of the first run
  std::string first, second;  ///< names of the runs: recipe and decay
  bool same_bits;             ///< whether all trained parameters are equal
  double difference;          ///< norm of the difference of the trained parameters
  double effect;              ///< norm of the difference of the first run from a run without decay

  bool vanilla() const { return first_recipe == "SGD" || first_recipe == exact_sgd; }
  /// The difference relative to the effect of decay; 0 when nothing differs.
  double share() const { return difference == 0.0 ? 0.0 : difference / effect; }
};

/// Compares L2 with decoupled decay, with one seed and `updates` updates at a constant rate: at the same value; with
/// momentum also at the value that matches in the long run; and without decay. One more pair, SGD with two kinds of
/// rounding, shows the size of differences that rounding alone causes.
std::vector<DecayComparison> study_decay(const Bench& bench, double decay, Step updates);

/// The weight decay that 1000 updates of AdamW achieve with each Rounding, as a fraction of the exact one.
struct RoundingResult {
  double lr;
  double decay;  ///< of one update, lr * weight_decay
  double torch_compat, once, compensated;
};

/// Measures it at these rates for weights between 1 and 2 under random gradients, as the difference from a run without
/// decay.
std::vector<RoundingResult> study_rounding(const std::vector<double>& rates, double weight_decay,
                                           std::int64_t weights = 32768);

}  // namespace temper::study
