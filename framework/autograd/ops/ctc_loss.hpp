#pragma once

#include <cstdint>

#include <temper/autograd/ops/loss.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

struct CtcOptions {
  std::int64_t blank = 0;  ///< the class that stands for no label
  Reduction reduction = Reduction::mean;
  bool zero_infinity = false;  ///< targets that do not fit their inputs give 0 and no gradient, instead of an error
};

/// -log of the probability of all ways to read the target out of the input, with blanks and repetitions: log_probs [N,
/// T, classes] f32, as log_softmax gives them; targets i64 [N, S], or [sum of the lengths] one after the other;
/// input_lengths and target_lengths i64 [N]. A scalar, or [N] with Reduction::none; the mean is that of the losses
/// divided by the lengths of their targets. Computed in f64.
/// Throws: ShapeError when the shapes or the dtypes do not fit; ValueError for a length or a label out of range, for a
/// target that needs more steps than its input has, unless zero_infinity is given, and for the mean of nothing.
/// Source: Graves et al., "Connectionist temporal classification" (2006).
Tensor ctc_loss(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                const Tensor& target_lengths, const CtcOptions& options = {});

}  // namespace temper
