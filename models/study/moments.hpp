#pragma once

#include <string>
#include <vector>

#include "models/study/study.hpp"

namespace temper::study {

/// Results of AdamW with moments in one format, one value per seed.
struct MomentsRuns {
  std::string moments;
  std::vector<double> loss;      ///< mean over the last tenth of the updates
  std::vector<double> accuracy;  ///< on the test images
};

/// Trains with moments in f32, in bf16 and in 8 bits, at the customary rate with warm-up and linear decay.
std::vector<MomentsRuns> study_moments(const Bench& bench, Step warm);

}  // namespace temper::study
