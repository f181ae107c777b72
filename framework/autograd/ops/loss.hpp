#pragma once

#include <cstdint>

#include <temper/tensor/tensor.hpp>

namespace temper {

/// How the losses of single predictions are combined.
enum class Reduction { mean, sum, none };

struct CrossEntropyOptions {
  std::int64_t ignore_index = -100;  ///< rows with this label count neither in the sum nor in the mean
  float label_smoothing = 0.0f;      ///< part of the target, from 0 to 1, that is spread evenly over all classes
  Reduction reduction = Reduction::mean;
  Tensor weight = {};  ///< f32 [classes]: factors of the losses of each class; by default 1
};

/// -log softmax(logits)[label]: logits [..., classes] f32 or bf16, labels [...] i64; a scalar, or [...] with
/// Reduction::none, f32 in any case. The mean is over the rows that are not ignored, each
/// counted by its label's weight; the logits of an ignored row may be anything, NaN included.
///
/// Labels may also be probabilities, f32 [..., classes], as mixup makes them: -sum(labels * log softmax(logits)), where
/// a class of probability 0 adds 0 even if its logit is -inf; no row is ignored then, and the mean counts each row
/// as 1. Throws: ShapeError when the shapes do not fit; ValueError for a label outside the classes, a mean over no row,
/// a mean of labels whose weights sum to 0, and a row of nothing but -inf. Source of label smoothing: Szegedy et al.,
/// "Rethinking the Inception architecture" (2015).
Tensor cross_entropy(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options = {});

/// cross_entropy(x W^T, labels) without storing the logits of all rows: x [..., D], W [classes, D], both f32 or both
/// bf16, labels [...] i64. Logits are computed for some rows at a time, and again for the gradient; sums are f32. For
/// large vocabularies, whose logits would be a language model's largest tensor. Throws: as cross_entropy and linear.
Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& labels,
                            const CrossEntropyOptions& options = {});

struct LossOptions {
  Reduction reduction = Reduction::mean;
};
struct HuberOptions {
  float delta = 1.0f;  ///< above it the loss is linear
  Reduction reduction = Reduction::mean;
};

// Losses of an input and a target of the same shape, both f32; a scalar, or that shape with Reduction::none. All throw:
// ShapeError when shapes or dtypes differ; ValueError for a mean over no elements.

/// (x - t)^2
Tensor mse_loss(const Tensor& input, const Tensor& target, const LossOptions& options = {});
/// |x - t|
Tensor l1_loss(const Tensor& input, const Tensor& target, const LossOptions& options = {});
/// (x - t)^2 / 2 where |x - t| <= delta, else delta * (|x - t| - delta / 2). Throws also: ValueError unless delta > 0.
/// Source: Huber, "Robust estimation of a location parameter" (1964).
Tensor huber_loss(const Tensor& input, const Tensor& target, const HuberOptions& options = {});
struct BceOptions {
  Reduction reduction = Reduction::mean;
  Tensor weight = {};      ///< f32, broadcasts to the input: what each loss is multiplied by
  Tensor pos_weight = {};  ///< f32, broadcasts to the input: what the loss of a target of 1 is multiplied by
};
/// -t log s(x) - (1 - t) log(1 - s(x)) with s the sigmoid: the input is a logit, the target a probability. Throws also:
/// ShapeError for weights that do not broadcast.
Tensor bce_with_logits(const Tensor& input, const Tensor& target, const BceOptions& options = {});

}  // namespace temper
