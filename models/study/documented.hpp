#pragma once

#include <vector>

#include "models/study/external.hpp"

namespace temper::study {

/// Values that stand as examples in the documentation of optax and of PyTorch's schedules, beside ours.
std::vector<Comparison> check_documented();

}  // namespace temper::study
