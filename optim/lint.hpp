#pragma once

#include <string>
#include <vector>

#include <temper/optim/optimizer.hpp>

namespace temper::optim {

/// Something about a planned run that is seldom meant.
struct LintWarning {
  std::string rule;   ///< "first lr is 0", "peak not reached", ... always the same words
  std::size_t group;  ///< the first group it concerns
  std::string text;   ///< what happens, with numbers, and why it matters
};

struct LintReport {
  std::vector<LintWarning> warnings{};
  /// Per group: what weight decay alone leaves of a weight at the end; NaN where that depends on the gradients (LAMB).
  std::vector<double> decay_factor{};

  /// A line each, for people.
  std::string text() const;
};

/// Reads all schedules of an optimizer over a run of `total` updates, before any is made.
/// Throws: ValueError when total is not positive, or a schedule leaves its range.
LintReport lint(const Optimizer& optimizer, Step total);

}  // namespace temper::optim
