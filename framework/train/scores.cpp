#include <temper/train/scores.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <temper/autograd/ops/cast.hpp>

#include "framework/core/format_internal.hpp"

namespace temper {

namespace {

/// Checks logits and labels, and returns the logits in f32.
Tensor checked(const char* what, const Tensor& logits, const Tensor& labels) {
  if (logits.rank() != 2 || labels.rank() != 1 || logits.size(0) != labels.size(0) || logits.size(1) < 1 ||
      labels.dtype() != Dtype::i64) {
    fail<ShapeError>("{}: logits {} and labels {} {}, expected [N, classes] and i64 [N]", what, logits.shape(),
                     labels.dtype(), labels.shape());
  }
  for (const std::int64_t label : labels.values<std::int64_t>()) {
    if (label < 0 || label >= logits.size(1))
      fail<ValueError>("{}: label {} of {} classes", what, label, logits.size(1));
  }
  return to(logits, Dtype::f32);
}

double mean_of(const char* what, double part, std::int64_t whole) {
  if (whole == 0) fail<ValueError>("{}: there are no examples", what);
  return part / static_cast<double>(whole);
}

/// part / whole, or 0 if both are.
double quotient(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

ConfusionMatrix::ConfusionMatrix(std::int64_t classes) : classes_(classes) {
  if (classes < 2) fail<ValueError>("ConfusionMatrix: {} classes, expected at least 2", classes);
  counts_.resize(static_cast<std::size_t>(classes * classes));
}

void ConfusionMatrix::add(const Tensor& logits, const Tensor& labels) {
  const Tensor values = checked("ConfusionMatrix", logits, labels);
  if (values.size(1) != classes_) {
    fail<ShapeError>("ConfusionMatrix: logits {}, expected [N, {}]", logits.shape(), classes_);
  }
  std::vector<std::int64_t> guesses;
  const float* row = values.data<float>();
  for (std::int64_t i = 0; i < values.size(0); ++i, row += classes_) {
    guesses.push_back(std::max_element(row, row + classes_) - row);
  }
  add(guesses, labels.values<std::int64_t>());
}

void ConfusionMatrix::add(std::span<const std::int64_t> guesses, std::span<const std::int64_t> labels) {
  if (guesses.size() != labels.size()) {
    fail<ShapeError>("ConfusionMatrix: {} guesses and {} labels", guesses.size(), labels.size());
  }
  for (const auto& numbers : {guesses, labels}) {
    for (const std::int64_t number : numbers) {
      if (number < 0 || number >= classes_) fail<ValueError>("ConfusionMatrix: class {} of {}", number, classes_);
    }
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    ++counts_[static_cast<std::size_t>(labels[i] * classes_ + guesses[i])];
  }
}

std::int64_t ConfusionMatrix::count(std::int64_t label, std::int64_t guess) const {
  if (std::min(label, guess) < 0 || std::max(label, guess) >= classes_) {
    fail<ValueError>("ConfusionMatrix: classes {} and {} of {}", label, guess, classes_);
  }
  return counts_[static_cast<std::size_t>(label * classes_ + guess)];
}

std::int64_t ConfusionMatrix::size() const { return std::accumulate(counts_.begin(), counts_.end(), std::int64_t{0}); }

std::int64_t ConfusionMatrix::labelled(std::int64_t label) const {
  std::int64_t sum = 0;
  for (std::int64_t guess = 0; guess < classes_; ++guess) sum += count(label, guess);
  return sum;
}
std::int64_t ConfusionMatrix::guessed(std::int64_t guess) const {
  std::int64_t sum = 0;
  for (std::int64_t label = 0; label < classes_; ++label) sum += count(label, guess);
  return sum;
}

double ConfusionMatrix::accuracy() const {
  std::int64_t right = 0;
  for (std::int64_t i = 0; i < classes_; ++i) right += count(i, i);
  return mean_of("ConfusionMatrix", static_cast<double>(right), size());
}
double ConfusionMatrix::precision(std::int64_t of) const { return quotient(count(of, of), guessed(of)); }
double ConfusionMatrix::recall(std::int64_t of) const { return quotient(count(of, of), labelled(of)); }
double ConfusionMatrix::f1(std::int64_t of) const { return quotient(2 * count(of, of), guessed(of) + labelled(of)); }

double ConfusionMatrix::macro(double (ConfusionMatrix::*score)(std::int64_t) const) const {
  double sum = 0;
  std::int64_t occurring = 0;
  for (std::int64_t i = 0; i < classes_; ++i) {
    if (labelled(i) + guessed(i) == 0) continue;
    sum += (this->*score)(i);
    ++occurring;
  }
  return mean_of("ConfusionMatrix", sum, occurring);
}
double ConfusionMatrix::macro_precision() const { return macro(&ConfusionMatrix::precision); }
double ConfusionMatrix::macro_recall() const { return macro(&ConfusionMatrix::recall); }
double ConfusionMatrix::macro_f1() const { return macro(&ConfusionMatrix::f1); }

std::string ConfusionMatrix::text(const std::vector<std::string>& names) const {
  if (!names.empty() && static_cast<std::int64_t>(names.size()) != classes_) {
    fail<ValueError>("ConfusionMatrix: {} names for {} classes", names.size(), classes_);
  }
  const auto name = [&](std::int64_t i) {
    return names.empty() ? fmt::format("{}", i) : names[static_cast<std::size_t>(i)];
  };
  std::size_t width = 5;
  for (std::int64_t i = 0; i < classes_; ++i) width = std::max(width, name(i).size());
  for (const std::int64_t each : counts_) width = std::max(width, fmt::formatted_size("{}", each));
  std::string text = fmt::format("{:<{}}", "", width);
  for (std::int64_t i = 0; i < classes_; ++i) text += fmt::format(" {:>{}}", name(i), width);
  text += fmt::format(" {:>{}}\n", "recall", width + 1);
  for (std::int64_t label = 0; label < classes_; ++label) {
    text += fmt::format("{:<{}}", name(label), width);
    for (std::int64_t guess = 0; guess < classes_; ++guess) text += fmt::format(" {:>{}}", count(label, guess), width);
    text += fmt::format(" {:>{}.4f}\n", recall(label), width + 1);
  }
  return text;
}

TopK::TopK(std::int64_t k) : k_(k) {
  if (k < 1) fail<ValueError>("TopK: k is {}, expected at least 1", k);
}

void TopK::add(const Tensor& logits, const Tensor& labels) {
  const Tensor values = checked("TopK", logits, labels);
  const std::int64_t classes = values.size(1);
  const float* row = values.data<float>();
  for (const std::int64_t label : labels.values<std::int64_t>()) {
    const float own = row[label];
    std::int64_t larger = 0;
    for (std::int64_t i = 0; i < classes; ++i) larger += row[i] > own || (row[i] == own && i < label);
    right_ += larger < k_;
    ++size_;
    row += classes;
  }
}

double TopK::accuracy() const { return mean_of("TopK", static_cast<double>(right_), size_); }

LogLoss::LogLoss(std::int64_t bins) {
  if (bins < 1) fail<ValueError>("LogLoss: {} bins, expected at least 1", bins);
  bins_.resize(static_cast<std::size_t>(bins));
}

void LogLoss::add(const Tensor& logits, const Tensor& labels) {
  const Tensor values = checked("LogLoss", logits, labels);
  const std::int64_t classes = values.size(1);
  const float* row = values.data<float>();
  for (const std::int64_t label : labels.values<std::int64_t>()) {
    const auto largest = std::max_element(row, row + classes);
    double sum = 0;
    for (std::int64_t i = 0; i < classes; ++i) sum += std::exp(double{row[i]} - *largest);
    sum_ += std::log(sum) + *largest - double{row[label]};
    ++size_;
    const double confidence = 1.0 / sum, count = static_cast<double>(bins_.size());
    // Bins are half-open, (lower, upper], so that a confidence of 1 is in the last one.
    const auto bin = static_cast<std::size_t>(std::clamp(std::ceil(confidence * count) - 1, 0.0, count - 1));
    bins_[bin].confidence += confidence;
    bins_[bin].right += largest - row == label;
    bins_[bin].size += 1;
    row += classes;
  }
}

double LogLoss::mean() const { return mean_of("LogLoss", sum_, size_); }
double LogLoss::perplexity() const { return std::exp(mean()); }
double LogLoss::calibration_error() const {
  double sum = 0;
  for (const Bin& bin : bins_) sum += std::abs(bin.right - bin.confidence);
  return mean_of("LogLoss", sum, size_);
}

void Ranking::add(const Tensor& scores, const Tensor& labels) {
  if (scores.numel() != labels.numel() || labels.dtype() != Dtype::i64) {
    fail<ShapeError>("Ranking: scores {} and labels {} {}, expected as many i64 labels as scores", scores.shape(),
                     labels.dtype(), labels.shape());
  }
  const Tensor values = to(scores, Dtype::f32);
  for (const float score : values.values<float>()) {
    if (std::isnan(score)) fail<ValueError>("Ranking: a score is NaN");
  }
  for (const std::int64_t label : labels.values<std::int64_t>()) {
    if (label != 0 && label != 1) fail<ValueError>("Ranking: label {}, expected 0 or 1", label);
  }
  const auto all = values.values<float>();
  scores_.insert(scores_.end(), all.begin(), all.end());
  for (const std::int64_t label : labels.values<std::int64_t>()) labels_.push_back(static_cast<std::uint8_t>(label));
}

namespace {

/// Numbers of examples of class 1 and 0 with the same score.
struct Tie {
  double ones = 0, zeros = 0;
};

/// All scores, the largest first.
std::vector<Tie> ties_of(const std::vector<float>& scores, const std::vector<std::uint8_t>& labels) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, std::greater(), [&](std::size_t i) { return scores[i]; });
  std::vector<Tie> ties;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || scores[order[i]] != scores[order[i - 1]]) ties.emplace_back();
    (labels[order[i]] == 1 ? ties.back().ones : ties.back().zeros) += 1;
  }
  return ties;
}

}  // namespace

double Ranking::roc_auc() const {
  double ones = 0, zeros = 0, area = 0;
  for (const Tie& tie : ties_of(scores_, labels_)) {
    area += tie.zeros * (ones + 0.5 * tie.ones);
    ones += tie.ones;
    zeros += tie.zeros;
  }
  if (ones == 0 || zeros == 0) {
    fail<ValueError>("Ranking: {} examples of class 1 and {} of class 0, expected some of both", ones, zeros);
  }
  return area / (ones * zeros);
}

double Ranking::average_precision() const {
  double ones = 0, all = 0, sum = 0;
  for (const Tie& tie : ties_of(scores_, labels_)) {
    ones += tie.ones;
    all += tie.ones + tie.zeros;
    sum += tie.ones * ones / all;
  }
  if (ones == 0) fail<ValueError>("Ranking: no examples of class 1");
  return sum / ones;
}

void RegressionScores::add(const Tensor& predictions, const Tensor& targets) {
  if (predictions.numel() != targets.numel()) {
    fail<ShapeError>("RegressionScores: predictions {} and targets {}, expected as many of both", predictions.shape(),
                     targets.shape());
  }
  const Tensor predicted = to(predictions, Dtype::f32), expected = to(targets, Dtype::f32);
  const float* prediction = predicted.data<float>();
  for (const float each : expected.values<float>()) {
    const double target = each, error = double{*prediction++} - target;
    squares_ += error * error;
    distances_ += std::abs(error);
    relative_ += std::abs(error) / std::max(std::abs(target), std::numeric_limits<double>::epsilon());
    // Source: Welford, "Note on a method for calculating corrected sums of squares and products" (1962).
    const double step = target - mean_;
    mean_ += step / static_cast<double>(++size_);
    variation_ += step * (target - mean_);
  }
}

double RegressionScores::mean_of(double sum) const { return temper::mean_of("RegressionScores", sum, size_); }
double RegressionScores::rmse() const { return std::sqrt(mean_of(squares_)); }
double RegressionScores::mae() const { return mean_of(distances_); }
double RegressionScores::mape() const { return mean_of(relative_); }
double RegressionScores::r2() const {
  const double unexplained = mean_of(squares_), variance = mean_of(variation_);
  if (variance == 0) return unexplained == 0 ? 1.0 : 0.0;
  return 1.0 - unexplained / variance;
}

}  // namespace temper
