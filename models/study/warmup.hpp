#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "models/study/study.hpp"

namespace temper::study {

/// One training run of the study.
struct WarmupRun {
  std::string optimizer;
  double lr;  ///< reached, if not begun with
  bool warmup;
  std::uint64_t seed;
  double largest_loss;  ///< of any batch
  double early_loss;    ///< mean over as many updates as warm-up takes, right after it
  double accuracy;      ///< on the test images, at the end

  /// Whether it learned nothing to speak of: no more than one test image in five is right, where guessing gives one in
  /// ten.
  bool failed() const { return !(accuracy > 0.2); }
};

/// What warm-up changed for an optimizer at a rate: with it minus without it, seed by seed.
struct WarmupEffect {
  std::string optimizer;
  double lr;
  std::vector<double> early_loss, accuracy;
  int failed_without = 0, failed_with = 0;  ///< runs that learned nothing
};

/// Throws: ValueError for a warm-up of no update, or of more than half of a run.
void check_warmup(const Bench& bench, Step warm);

/// Trains every recipe at its three rates, with and without warm-up, once a seed. From the `warm`-th update on all runs
/// of one rate have the same schedule, a line to 0. `show` gets the runs that differ in nothing but the seed, as soon
/// as they are done. Throws: as check_warmup.
std::vector<WarmupRun> study_warmup(const Bench& bench, const std::vector<Recipe>& recipes, Step warm,
                                    const std::function<void(std::span<const WarmupRun>)>& show = {});

/// In the order of the runs.
std::vector<WarmupEffect> effects(const std::vector<WarmupRun>& runs);

/// How far Adam moves a weight whose gradient is nothing but noise, in units of lr: the root of the mean square over
/// `weights` weights, for each of its first `updates` updates.
std::vector<double> noise_updates(Step updates, std::int64_t weights = 8192);

}  // namespace temper::study
