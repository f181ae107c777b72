// Compares accumulated scores with those of scikit-learn.

#include <temper/train/scores.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

#include <temper/core/errors.hpp>

using namespace temper;
using nlohmann::json;

namespace {

const json& golden() {
  static const json read = json::parse(std::ifstream(TEMPER_TEST_DIR "/golden/scores.json"));
  return read;
}

Tensor row(const json& values) {
  return from(values.get<std::vector<float>>(), {static_cast<std::int64_t>(values.size())});
}
Tensor numbers(const json& values) {
  return from(values.get<std::vector<std::int64_t>>(), {static_cast<std::int64_t>(values.size())});
}

/// Calls add(first, second) with batch after batch of `size` examples.
template <class Scores, class Rows>
void add_in_parts(Scores& scores, const json& first, const json& second, std::size_t size, Rows rows) {
  for (std::size_t at = 0; at < first.size(); at += size) {
    const auto part = [&](const json& all) {
      const auto from = all.begin() + static_cast<std::ptrdiff_t>(at);
      const auto to = all.begin() + static_cast<std::ptrdiff_t>(std::min(at + size, all.size()));
      return json(std::vector<json>(from, to));
    };
    scores.add(rows(part(first)), numbers(part(second)));
  }
}

Tensor table(const json& rows) {
  std::vector<float> values;
  for (const json& each : rows) {
    for (const json& value : each) values.push_back(value.get<float>());
  }
  const auto n = static_cast<std::int64_t>(rows.size());
  return from(values, {n, static_cast<std::int64_t>(values.size()) / n});
}

doctest::Approx near(const json& value) { return doctest::Approx(value.get<double>()).epsilon(1e-12); }

}  // namespace

TEST_CASE("classifiers: counts, precision, recall, F1, top-k and log loss agree with scikit-learn for any batch size") {
  for (const json& each : golden()["classes"]) {
    const auto classes = static_cast<std::int64_t>(each["matrix"].size());
    for (const std::size_t size : {1, 7, 1000}) {
      CAPTURE(size);
      ConfusionMatrix matrix(classes);
      LogLoss loss, coarse(4);
      add_in_parts(matrix, each["logits"], each["labels"], size, table);
      add_in_parts(loss, each["logits"], each["labels"], size, table);
      add_in_parts(coarse, each["logits"], each["labels"], size, table);
      for (std::int64_t i = 0; i < classes; ++i) {
        const auto at = static_cast<std::size_t>(i);
        for (std::int64_t j = 0; j < classes; ++j) {
          CHECK(matrix.count(i, j) == each["matrix"][at][static_cast<std::size_t>(j)].get<std::int64_t>());
        }
        CHECK(matrix.precision(i) == near(each["precision"][at]));
        CHECK(matrix.recall(i) == near(each["recall"][at]));
        CHECK(matrix.f1(i) == near(each["f1"][at]));
      }
      CHECK(matrix.accuracy() == near(each["accuracy"]));
      CHECK(matrix.macro_precision() == near(each["macro"][0]));
      CHECK(matrix.macro_recall() == near(each["macro"][1]));
      CHECK(matrix.macro_f1() == near(each["macro"][2]));
      CHECK(loss.mean() == near(each["log_loss"]));
      CHECK(loss.perplexity() == doctest::Approx(std::exp(each["log_loss"].get<double>())).epsilon(1e-12));
      CHECK(loss.calibration_error() == near(each["calibration"][0]));
      CHECK(coarse.calibration_error() == near(each["calibration"][1]));
      for (std::size_t k = 1; k <= each["top"].size(); ++k) {
        CAPTURE(k);
        TopK top(static_cast<std::int64_t>(k));
        add_in_parts(top, each["logits"], each["labels"], size, table);
        CHECK(top.accuracy() == near(each["top"][k - 1]));
      }
    }
  }
}

TEST_CASE("binary classifiers: ROC AUC and average precision agree with scikit-learn, ties included") {
  for (const json& each : golden()["ranking"]) {
    for (const std::size_t size : {3, 1000}) {
      Ranking ranking;
      add_in_parts(ranking, each["scores"], each["labels"], size, row);
      CHECK(ranking.roc_auc() == near(each["roc_auc"]));
      CHECK(ranking.average_precision() == near(each["average_precision"]));
    }
  }
}

TEST_CASE("regression: RMSE, MAE, R2 and MAPE agree with scikit-learn, also far from 0 and for equal targets") {
  for (const json& each : golden()["regression"]) {
    RegressionScores scores, in_two;
    scores.add(row(each["predictions"]), row(each["targets"]));
    const auto half = [&](const char* name, bool first) {
      const auto all = each[name].get<std::vector<float>>();
      const std::size_t middle = all.size() / 3;
      const std::vector<float> part(all.begin() + (first ? 0 : static_cast<std::ptrdiff_t>(middle)),
                                    first ? all.begin() + static_cast<std::ptrdiff_t>(middle) : all.end());
      return from(part, {static_cast<std::int64_t>(part.size())});
    };
    for (const bool first : {true, false}) in_two.add(half("predictions", first), half("targets", first));
    for (const RegressionScores* one : {&scores, &in_two}) {
      CHECK(one->rmse() == near(each["rmse"]));
      CHECK(one->mae() == near(each["mae"]));
      CHECK(one->r2() == near(each["r2"]));
      CHECK(one->mape() == near(each["mape"]));
    }
  }
  RegressionScores right;
  right.add(full({3}, 2.0f), full({3}, 2.0f));
  CHECK(right.r2() == 1.0);
}

TEST_CASE("a confusion matrix is formatted as a table") {
  ConfusionMatrix matrix(2);
  const std::vector<std::int64_t> guesses = {0, 0, 1, 1, 1}, labels = {0, 1, 1, 1, 1};
  matrix.add(guesses, labels);
  CHECK(matrix.text({"cat", "dog"}) ==
        "        cat   dog recall\n"
        "cat       1     0 1.0000\n"
        "dog       1     3 0.7500\n");
  CHECK_THROWS_WITH_AS(matrix.text({"cat"}), "ConfusionMatrix: 1 names for 2 classes", ValueError);
}

TEST_CASE("scores throw for inputs that do not fit, and do not count them") {
  ConfusionMatrix matrix(3);
  CHECK_THROWS_WITH_AS(matrix.accuracy(), "ConfusionMatrix: there are no examples", ValueError);
  CHECK_THROWS_WITH_AS(matrix.add(zeros({2, 4}), indices({0, 1})), "ConfusionMatrix: logits [2, 4], expected [N, 3]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(matrix.add(zeros({2, 3}), indices({0, 3})), "ConfusionMatrix: label 3 of 3 classes", ValueError);
  CHECK_THROWS_AS(matrix.add(zeros({2, 3}), zeros({2})), ShapeError);
  CHECK(matrix.size() == 0);
  CHECK_THROWS_AS(ConfusionMatrix(1), ValueError);
  CHECK_THROWS_AS(TopK(0), ValueError);
  CHECK_THROWS_AS(LogLoss(0), ValueError);
  Ranking ranking;
  CHECK_THROWS_WITH_AS(ranking.add(zeros({2}), indices({0, 2})), "Ranking: label 2, expected 0 or 1", ValueError);
  CHECK_THROWS_WITH_AS(ranking.add(full({1}, std::nanf("")), indices({0})), "Ranking: a score is NaN", ValueError);
  ranking.add(zeros({2}), indices({1, 1}));
  CHECK_THROWS_WITH_AS(ranking.roc_auc(), doctest::Contains("expected some of both"), ValueError);
  CHECK(ranking.average_precision() == 1.0);
  CHECK_THROWS_AS(RegressionScores().rmse(), ValueError);
  CHECK_THROWS_AS(RegressionScores().add(zeros({2}), zeros({3})), ShapeError);
}
