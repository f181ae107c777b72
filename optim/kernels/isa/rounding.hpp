#pragma once

// Compensated subtraction.

#include "optim/kernels/isa/sweep.hpp"

namespace temper::optim_kernels::TEMPER_ISA {

/// p -= change. The rounding error goes to `lost` and is added back in the next update.
/// Source: Kahan, "Further remarks on reducing truncation errors" (1965).
static inline void subtract(Vec& p, Vec change, Vec& lost) {
  const Vec wanted = lost - change;
  const Vec next = p + wanted;
  lost = wanted - (next - p);
  p = next;
}

}  // namespace temper::optim_kernels::TEMPER_ISA
