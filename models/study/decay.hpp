#pragma once

#include <string>
#include <vector>

#include "models/study/study.hpp"

namespace temper::study {

/// Two runs that differ in how weights decay.
struct Twins {
  std::string first_recipe;
  double decay;               ///< of the first
  std::string first, second;  ///< recipe and decay
  bool same_bits;             ///< of all trained parameters
  double difference;          ///< norm of the difference of the trained parameters
  double effect;              ///< norm of what decay changed in the first: its difference from a run without decay

  /// The difference as a share of what decay changed; 0 when nothing differs.
  double share() const { return difference == 0.0 ? 0.0 : difference / effect; }
};

/// L2 against decoupled decay, one seed, one epoch at a constant rate: at the same value; for momentum also at the
/// value that matches in the long run; and with no decay at all.
std::vector<Twins> study_decay(const Bench& bench, double decay);

/// How much of the weight decay that AdamW was told to do is there after 1000 updates: 1 for all of it.
struct Kept {
  double lr;
  double decay;  ///< of one update, lr * weight_decay
  double torch_compat, once, compensated;
};

/// Weights between 1 and 2 under random gradients, at these rates. What decay did is the difference from a run
/// without it.
std::vector<Kept> study_rounding(const std::vector<double>& rates, double weight_decay, std::int64_t weights = 32768);

}  // namespace temper::study
