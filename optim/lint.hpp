#pragma once

#include <string>
#include <vector>

#include <temper/optim/optimizer.hpp>

namespace temper::optim {

/// A property of a planned run that is probably a mistake.
struct LintWarning {
  std::string rule;   ///< "first lr is 0", "peak not reached", ...: a fixed text for each rule
  std::size_t group;  ///< index of the first group that has it
  std::string text;   ///< what happens, with numbers, and why it matters
};

struct LintReport {
  std::vector<LintWarning> warnings{};
  /// Per group: the factor of a weight at the end by weight decay alone; NaN where it depends on the gradients (LAMB).
  std::vector<double> decay_factor{};

  /// The warnings and decay factors, a line each.
  std::string text() const;
};

/// Checks all schedules of an optimizer over a run of `total` updates, before it starts.
/// Throws: ValueError when total is not positive, or a schedule leaves its range.
LintReport lint(const Optimizer& optimizer, Step total);

}  // namespace temper::optim
