#pragma once

#include <string>
#include <vector>

#include "models/study/study.hpp"

namespace temper::study {

/// AdamW with moments of one width, a figure for each seed.
struct MomentsRuns {
  std::string moments;
  std::vector<double> loss;      ///< mean over the last tenth of the updates
  std::vector<double> accuracy;  ///< on the test images
};

/// Whole runs at the customary rate with warm-up and linear decay: moments in f32, in bf16, in 8 bits.
std::vector<MomentsRuns> study_moments(const Bench& bench, Step warm);

}  // namespace temper::study
