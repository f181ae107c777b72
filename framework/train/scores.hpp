#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <temper/tensor/tensor.hpp>

// How good predictions are, gathered batch by batch: add() what a model says and what is right, ask at the end. All
// count in double, and give the values of scikit-learn, whose conventions they follow where a quotient has no value.

namespace temper {

/// What a classifier takes for what: counts, and all that follows from them.
class ConfusionMatrix {
 public:
  /// Throws: ValueError below two classes.
  explicit ConfusionMatrix(std::int64_t classes);

  /// The largest of `logits` [N, classes] is the guess; `labels` are i64 [N]. Throws: ShapeError, and ValueError for a
  /// label that is no class; then nothing is counted.
  void add(const Tensor& logits, const Tensor& labels);
  /// Guesses themselves.
  void add(std::span<const std::int64_t> guesses, std::span<const std::int64_t> labels);

  std::int64_t classes() const { return classes_; }
  /// Examples of class `label` that were taken for `guess`.
  std::int64_t count(std::int64_t label, std::int64_t guess) const;
  /// Examples in all.
  std::int64_t size() const;

  /// Throws, as all below that are means over examples: ValueError when there are none.
  double accuracy() const;
  /// Of what was taken for the class, the share that is of it; 0 when nothing was.
  double precision(std::int64_t of) const;
  /// Of what is of the class, the share that was taken for it; 0 when nothing is.
  double recall(std::int64_t of) const;
  /// The harmonic mean of both; 0 when both are.
  double f1(std::int64_t of) const;
  /// Means over the classes that occur among labels or guesses. (Over all examples, the micro means, all three are the
  /// accuracy.)
  double macro_precision() const;
  double macro_recall() const;
  double macro_f1() const;

  /// A table for people, a line a label. Throws: ValueError for other than as many names as classes.
  std::string text(const std::vector<std::string>& names = {}) const;

 private:
  double macro(double (ConfusionMatrix::*score)(std::int64_t) const) const;
  std::int64_t labelled(std::int64_t label) const;
  std::int64_t guessed(std::int64_t guess) const;

  std::int64_t classes_;
  std::vector<std::int64_t> counts_;
};

/// The share of examples whose label is among the k largest logits. Of equal logits those of lower classes are larger.
class TopK {
 public:
  /// Throws: ValueError below 1.
  explicit TopK(std::int64_t k);
  /// `logits` [N, classes], `labels` i64 [N]. Throws: ShapeError; ValueError for a label that is no class.
  void add(const Tensor& logits, const Tensor& labels);
  /// Throws: ValueError without examples.
  double accuracy() const;

 private:
  std::int64_t k_, right_ = 0, size_ = 0;
};

/// The loss of a classifier's probabilities, and how far these can be believed.
class LogLoss {
 public:
  /// `bins` of equal width for calibration_error. Throws: ValueError below 1.
  explicit LogLoss(std::int64_t bins = 15);
  /// `logits` [N, classes], `labels` i64 [N]. Throws: ShapeError; ValueError for a label that is no class.
  void add(const Tensor& logits, const Tensor& labels);

  /// Mean of -log p(label), in nats. Throws, as all here: ValueError without examples.
  double mean() const;
  /// exp(mean): of how many equally likely classes it is as good as a guess.
  double perplexity() const;
  /// Mean distance between the confidence of the guesses and their accuracy, by bins of confidence.
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

/// How well one number, larger for the one class, tells two classes apart. Keeps all of them: 9 bytes an example.
class Ranking {
 public:
  /// `scores` f32 of any shape, `labels` i64 of as many elements, 0 and 1. Throws: ShapeError; ValueError for other
  /// labels, and scores that are NaN.
  void add(const Tensor& scores, const Tensor& labels);

  /// The area under the ROC curve: how often an example of class 1 has a larger score than one of class 0, equal ones
  /// counting half. Throws: ValueError unless there are examples of both classes.
  double roc_auc() const;
  /// Mean of the precisions at all thresholds, weighted by the recall each gains. Throws: ValueError without examples
  /// of class 1.
  double average_precision() const;

 private:
  std::vector<float> scores_;
  std::vector<std::uint8_t> labels_;
};

/// How far predictions of numbers are off.
class RegressionScores {
 public:
  /// f32 tensors of any shape, as many elements in both. Throws: ShapeError.
  void add(const Tensor& predictions, const Tensor& targets);

  /// Throws, as all here: ValueError without examples.
  double rmse() const;
  double mae() const;
  /// The share of the targets' variance that is explained. Where they are all the same: 1 if all are right, else 0.
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
