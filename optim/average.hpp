#pragma once

#include <temper/optim/schedule.hpp>

namespace temper::optim {

/// Which weights are averaged, and how. The default is an exponential moving average (EMA) over all updates. It begins
/// with the weights of the first one; its decay is at most (1 + n) / (10 + n) after n samples, so that it averages the
/// last tenth of a short run, and the last 1 / (1 - decay) updates of a long one.
/// train/averages.hpp swaps the averages into a model and re-estimates its batch statistics.
/// Source: Polyak, Juditsky (1992); SWA: Izmailov et al., "Averaging weights leads to wider optima" (2018).
struct AverageOptions {
  Schedule decay = 0.999;  ///< average = decay * average + (1 - decay) * weights
  bool warmup = true;      ///< a smaller decay at first, as above; without, the first weights keep a weight of decay^n
  bool equal = false;      ///< all samples have the same weight (SWA); `decay` is ignored
  Step start = 0;          ///< the first update that is a sample
  Step every = 1;          ///< number of updates from one sample to the next
};

}  // namespace temper::optim
