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
  double lr;  ///< peak learning rate
  bool warmup;
  std::uint64_t seed;
  double largest_loss;  ///< of all batches
  double early_loss;    ///< mean over the updates right after warm-up, as many as warm-up takes
  double accuracy;      ///< on the test images, at the end

  /// Whether it learned next to nothing: at most one test image in five is classified correctly, where guessing gives
  /// one in ten.
  bool failed() const { return !(accuracy > 0.2); }
};

/// The effect of warm-up for an optimizer at a rate: results with warm-up minus those without, one per seed.
struct WarmupEffect {
  std::string optimizer;
  double lr;
  std::vector<double> early_loss, accuracy;
  int failed_without = 0, failed_with = 0;  ///< runs that failed()
};

/// Throws: ValueError unless warm-up has at least 1 update and at most half of a run.
void check_warmup(const Bench& bench, Step warm);

/// Trains every recipe at its three rates, with and without warm-up, once per seed. From update `warm` on, all runs of
/// a rate have the same schedule, a linear decay to 0. Calls `show` with the runs of each setting, which differ only in
/// the seed, as soon as they are done. Throws: as check_warmup.
std::vector<WarmupRun> study_warmup(const Bench& bench, const std::vector<Recipe>& recipes, Step warm,
                                    const std::function<void(std::span<const WarmupRun>)>& show = {});

/// The effects, in the order of the runs.
std::vector<WarmupEffect> effects(const std::vector<WarmupRun>& runs);

/// The size of Adam's first `updates` updates in units of lr when gradients are pure noise: root mean square over
/// `weights` weights.
std::vector<double> noise_updates(Step updates, std::int64_t weights = 8192);

}  // namespace temper::study
