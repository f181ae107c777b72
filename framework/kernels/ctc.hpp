#pragma once

// The connectionist temporal classification of sequences, in double and in logarithms.

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

struct Ctc {
  Index batch, steps, classes, blank;
  const std::int64_t *input_lengths, *target_lengths;  ///< [batch]
  const std::int64_t* targets;
  const std::int64_t* target_begin;  ///< [batch], where each target begins in `targets`
};

/// losses [batch] of log_probs [batch, steps, classes]; infinite where no path gives the target.
void ctc(const Ctc& task, const float* log_probs, float* losses);
/// dx [batch, steps, classes] = scale[batch] times the slope of each loss; 0 for those that are infinite.
void ctc_backward(const Ctc& task, const float* log_probs, const float* scale, float* dx);

}  // namespace temper::kernels
