#pragma once

#include <cstdint>

#include <temper/autograd/ops/loss.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

// Losses of probabilities, beside cross_entropy and bce_with_logits. All throw: ShapeError when shapes or dtypes do not
// fit; ValueError for the mean of nothing, and for options out of range.

struct NllOptions {
  std::int64_t ignore_index = -100;  ///< rows with this label count neither in the sum nor in the mean
  Reduction reduction = Reduction::mean;
  Tensor weight = {};  ///< f32 [classes]: what the loss of each class is multiplied by; by default 1
};
/// -x[label]: x [..., classes] are logarithms of probabilities, f32 or bf16, labels [...] i64; a scalar, or [...] with
/// Reduction::none, f32. The mean is over the rows that are not ignored, each counted by its label's weight. Throws
/// also: ValueError for a label outside the classes and a mean of labels whose weights sum to 0.
Tensor nll_loss(const Tensor& x, const Tensor& labels, const NllOptions& options = {});

/// What becomes of the single terms of kl_div.
enum class KlReduction {
  batch_mean,  ///< their sum divided by the size of the first axis, which is the divergence
  mean,        ///< divided by the number of terms
  sum,
  none
};
struct KlDivOptions {
  KlReduction reduction = KlReduction::batch_mean;
  bool log_target = false;  ///< the target, too, is the logarithm of probabilities
};
/// The Kullback-Leibler divergence of the target from the input: t (log t - x), where x are logarithms of
/// probabilities, both f32 and of the same shape. A probability of 0 adds 0. Source: Kullback, Leibler, "On information
/// and sufficiency" (1951).
Tensor kl_div(const Tensor& input, const Tensor& target, const KlDivOptions& options = {});

struct BinaryCrossEntropyOptions {
  Reduction reduction = Reduction::mean;
  Tensor weight = {};  ///< f32, broadcasts to the input: what each loss is multiplied by
};
/// -t log x - (1 - t) log(1 - x) of probabilities x and t, f32 and of the same shape; logarithms count as -100 at
/// least. Logits are better off in bce_with_logits. Throws also: ValueError for an x outside [0, 1].
Tensor binary_cross_entropy(const Tensor& input, const Tensor& target, const BinaryCrossEntropyOptions& options = {});

struct FocalOptions {
  float alpha = 0.25f;  ///< weight of targets of 1; those of 0 have 1 - alpha; negative for neither
  float gamma = 2.0f;   ///< how much less well classified examples count
  Reduction reduction = Reduction::mean;
};
/// bce_with_logits times (1 - p)^gamma, where p is the probability of what the target says. Input and target f32, of
/// the same shape. Source: Lin et al., "Focal loss for dense object detection" (2017).
Tensor focal_loss(const Tensor& input, const Tensor& target, const FocalOptions& options = {});

}  // namespace temper
