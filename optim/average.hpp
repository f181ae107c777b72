#pragma once

#include <temper/optim/schedule.hpp>

namespace temper::optim {

/// Which weights are averaged, and how. The defaults are an exponential moving average of every update, which begins
/// with the first one's weights and forgets them again: after n samples it keeps at most (1 + n) / (10 + n) of itself,
/// so that what is averaged is the last tenth of a short run, and the last 1 / (1 - decay) updates of a long one.
/// train/averages.hpp swaps the averages into a model and re-estimates its batch statistics.
/// Source: Polyak, Juditsky (1992); SWA: Izmailov et al., "Averaging weights leads to wider optima" (2018).
struct AverageOptions {
  Schedule decay = 0.999;  ///< what the average keeps of itself
  bool warmup = true;      ///< less at first, as above; else the first weights count for decay^n to the end
  bool equal = false;      ///< all samples weigh the same (SWA); `decay` does not matter then
  Step start = 0;          ///< the first update that is a sample
  Step every = 1;          ///< updates from one sample to the next
};

}  // namespace temper::optim
