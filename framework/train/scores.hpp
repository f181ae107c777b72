#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <temper/tensor/tensor.hpp>

// Metrics of predictions over many batches: add() each batch's predictions and labels, then ask for the metric. All sum
// in double, and agree with scikit-learn, also where a quotient is 0 / 0.

namespace temper {

/// Counts of a classifier's predictions for each label, and the metrics computed from them.
class ConfusionMatrix {
 public:
  /// Throws: ValueError below two classes.
  explicit ConfusionMatrix(std::int64_t classes);

  /// The largest of `logits` [N, classes] is the guess; `labels` are i64 [N]. Throws: ShapeError, and ValueError for a
  /// label outside the classes; nothing is counted then.
  void add(const Tensor& logits, const Tensor& labels);
  /// The same from predicted classes.
  void add(std::span<const std::int64_t> guesses, std::span<const std::int64_t> labels);

  std::int64_t classes() const { return classes_; }
  /// Number of examples of class `label` that were predicted as `guess`.
  std::int64_t count(std::int64_t label, std::int64_t guess) const;
  /// Number of all examples.
  std::int64_t size() const;

  /// Throws, as all below that are means over examples: ValueError when there are none.
  double accuracy() const;
  /// True positives / predicted positives of a class; 0 when nothing was predicted as it.
  double precision(std::int64_t of) const;
  /// True positives / examples of a class; 0 when there are none.
  double recall(std::int64_t of) const;
  /// The harmonic mean of precision and recall; 0 when both are 0.
  double f1(std::int64_t of) const;
  /// Unweighted means over the classes that occur among labels or guesses. (Micro averages are not offered, because
  /// those of all three equal the accuracy.)
  double macro_precision() const;
  double macro_recall() const;
  double macro_f1() const;

  /// A table to print, with a line for each label. Throws: ValueError when the number of names is not that of classes.
  std::string text(const std::vector<std::string>& names = {}) const;

 private:
  double macro(double (ConfusionMatrix::*score)(std::int64_t) const) const;
  std::int64_t labelled(std::int64_t label) const;
  std::int64_t guessed(std::int64_t guess) const;

  std::int64_t classes_;
  std::vector<std::int64_t> counts_;
};

/// The fraction of examples whose label is among the k largest logits. Of equal logits, lower classes come first.
class TopK {
 public:
  /// Throws: ValueError below 1.
  explicit TopK(std::int64_t k);
  /// `logits` [N, classes], `labels` i64 [N]. Throws: ShapeError; ValueError for a label outside the classes.
  void add(const Tensor& logits, const Tensor& labels);
  /// Throws: ValueError without examples.
  double accuracy() const;

 private:
  std::int64_t k_, right_ = 0, size_ = 0;
};

/// Log loss, perplexity and calibration of a classifier's probabilities.
class LogLoss {
 public:
  /// `bins` of equal width for calibration_error. Throws: ValueError below 1.
  explicit LogLoss(std::int64_t bins = 15);
  /// `logits` [N, classes], `labels` i64 [N]. Throws: ShapeError; ValueError for a label outside the classes.
  void add(const Tensor& logits, const Tensor& labels);

  /// Mean of -log p(label), in nats. Throws, as all here: ValueError without examples.
  double mean() const;
  /// exp(mean): the number of equally likely classes among which guessing would have the same loss.
  double perplexity() const;
  /// Expected calibration error: the mean difference of confidence and accuracy, over bins of confidence.
  /// Source: Guo et al., "On calibration of modern neural networks" (2017), equation 3.
  double calibration_error() const;

 private:
  struct Bin {
    double confidence = 0, right = 0, size = 0;
  };
  double sum_ = 0;
  std::int64_t size_ = 0;
  std::vector<Bin> bins_;
};

/// How well a score separates two classes. Keeps all scores and labels: 5 bytes per example.
class Ranking {
 public:
  /// `scores` f32 of any shape, `labels` i64 of as many elements, each 0 or 1. Throws: ShapeError; ValueError for other
  /// labels, and scores that are NaN.
  void add(const Tensor& scores, const Tensor& labels);

  /// The area under the ROC curve: the probability that an example of class 1 has a larger score than one of class 0,
  /// ties counting half. Throws: ValueError unless there are examples of both classes.
  double roc_auc() const;
  /// Mean of the precisions at all thresholds, weighted by the increase in recall. Throws: ValueError without examples
  /// of class 1.
  double average_precision() const;

 private:
  std::vector<float> scores_;
  std::vector<std::uint8_t> labels_;
};

/// Errors of a regression: RMSE, MAE, R^2, MAPE.
class RegressionScores {
 public:
  /// f32 tensors of any shape, as many elements in both. Throws: ShapeError.
  void add(const Tensor& predictions, const Tensor& targets);

  /// Throws, as all here: ValueError without examples.
  double rmse() const;
  double mae() const;
  /// 1 - mean squared error / variance of the targets. Of equal targets: 1 if all predictions are right, else 0.
  double r2() const;
  /// Mean of |error| / |target|. As in scikit-learn, a target of 0 counts as 2.2e-16.
  double mape() const;

 private:
  double mean_of(double sum) const;

  std::int64_t size_ = 0;
  double squares_ = 0, distances_ = 0, relative_ = 0;
  double mean_ = 0, variation_ = 0;  // of the targets, updated example by example
};

}  // namespace temper
