// Losses, distances and angles, segments and bags.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/class_loss.hpp>
#include <temper/autograd/ops/ctc_loss.hpp>
#include <temper/autograd/ops/distance_loss.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/regression_loss.hpp>
#include <temper/autograd/ops/segment.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>
#include <temper/core/random.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/losses.hpp"

namespace temper::test {

namespace {

Reduction reduction(const Attributes& a) {
  const std::string name = a.value("reduction", "mean");
  return name == "mean" ? Reduction::mean : name == "sum" ? Reduction::sum : Reduction::none;
}

Tensor optional(const Tensors& x, std::size_t i) { return i < x.size() ? x[i] : Tensor(); }

/// A loss of an input and a target, called with the attributes as options.
template <class Call>
OpTest pair_loss(const std::string& name, Call call, reference::Reference reference,
                 std::vector<ErrorCase> errors = {}) {
  const Attributes plain{{"beta", 1.0},   {"quantile", 0.5}, {"alpha", 0.5},       {"gamma", 1.0},
                         {"margin", 1.0}, {"p", 1},          {"reduction", "mean"}};
  const std::string function = name == "bce_weights" ? "bce_with_logits" : name;
  errors.push_back(throws<ShapeError>(function + ": input [2, 3] and", [=] {
    return call(Tensors{ones({2, 3}), ones({3}), ones({3})}, plain);
  }));
  errors.push_back(throws<ValueError>(function + ": mean over input [0], which is empty", [=] {
    return call(Tensors{ones({0}), ones({0}), ones({0})}, plain);
  }));
  return {name, [call](const Tensors& x, const Attributes& a) { return call(x, a); }, std::move(reference),
          std::move(errors)};
}

std::vector<OpTest> regression_ops() {
  return {
      pair_loss("smooth_l1_loss",
                [](const Tensors& x, const Attributes& a) {
                  return smooth_l1_loss(x[0], x[1], {a["beta"], reduction(a)});
                },
                reference::smooth_l1_loss,
                {throws<ValueError>("smooth_l1_loss: beta -1, expected at least 0",
                                    [] { return smooth_l1_loss(ones({2}), ones({2}), {.beta = -1}); })}),
      pair_loss("quantile_loss",
                [](const Tensors& x, const Attributes& a) {
                  return quantile_loss(x[0], x[1], {a["quantile"], reduction(a)});
                },
                reference::quantile_loss,
                {throws<ValueError>("quantile_loss: quantile 1, expected between 0 and 1",
                                    [] { return quantile_loss(ones({2}), ones({2}), {.quantile = 1}); })}),
      pair_loss(
          "log_cosh_loss",
          [](const Tensors& x, const Attributes& a) { return log_cosh_loss(x[0], x[1], {reduction(a)}); },
          reference::log_cosh_loss),
      pair_loss(
          "gaussian_nll_loss",
          [](const Tensors& x, const Attributes& a) {
            return gaussian_nll_loss(x[0], x[1], x[2], {a.value("full", false), a.value("eps", 1e-6f), reduction(a)});
          },
          reference::gaussian_nll_loss,
          {throws<ShapeError>("gaussian_nll_loss: variance [2, 2] does not broadcast to input [2]",
                              [] {
                                return gaussian_nll_loss(ones({2}), ones({2}), ones({2, 2}));
                              })}),
      pair_loss(
          "poisson_nll_loss",
          [](const Tensors& x, const Attributes& a) {
            return poisson_nll_loss(
                x[0], x[1], {a.value("log_input", true), a.value("full", false), a.value("eps", 1e-8f), reduction(a)});
          },
          reference::poisson_nll_loss),
  };
}

KlReduction kl_reduction(const Attributes& a) {
  const std::string name = a["reduction"];
  return name == "batchmean" ? KlReduction::batch_mean
         : name == "mean"    ? KlReduction::mean
         : name == "sum"     ? KlReduction::sum
                             : KlReduction::none;
}

std::vector<OpTest> class_ops() {
  return {
      {"nll_loss",
       [](const Tensors& x, const Attributes& a) {
         return nll_loss(x[0], x[1], {a.value("ignore_index", -100), reduction(a), optional(x, 2)});
       },
       reference::nll_loss,
       {throws<ValueError>("nll_loss: label 3 of row 1 is outside the 3 classes",
                           [] {
                             return nll_loss(ones({2, 3}), indices({0, 3}));
                           }),
        throws<ShapeError>("nll_loss: input [2, 3] and labels [3], expected [..., classes] and [...]",
                           [] {
                             return nll_loss(ones({2, 3}), indices({0, 1, 2}));
                           }),
        throws<ValueError>("nll_loss: mean over 1 rows whose weights sum to 0",
                           [] {
                             return nll_loss(ones({1, 3}), indices({-100}));
                           })}},
      pair_loss(
          "kl_div",
          [](const Tensors& x, const Attributes& a) {
            return kl_div(x[0], x[1], {kl_reduction(a), a.value("log_target", false)});
          },
          reference::kl_div),
      pair_loss("binary_cross_entropy",
                [](const Tensors& x, const Attributes& a) {
                  return binary_cross_entropy(x[0], x[1], {reduction(a), optional(x, 2)});
                },
                reference::binary_cross_entropy,
                {throws<ValueError>("binary_cross_entropy: input [1] has 1.5, expected 0 to 1",
                                    [] { return binary_cross_entropy(full({1}, 1.5f), ones({1})); })}),
      pair_loss("bce_weights",
                [](const Tensors& x, const Attributes& a) {
                  return bce_with_logits(x[0], x[1], {reduction(a), optional(x, 3), x[2]});
                },
                reference::bce_weights,
                {throws<ShapeError>("bce_with_logits: pos_weight [2, 2] does not broadcast to input [2]",
                                    [] {
                                      return bce_with_logits(ones({2}), ones({2}), {.pos_weight = ones({2, 2})});
                                    })}),
      pair_loss("focal_loss",
                [](const Tensors& x, const Attributes& a) {
                  return focal_loss(x[0], x[1], {a["alpha"], a["gamma"], reduction(a)});
                },
                reference::focal_loss,
                {throws<ValueError>("focal_loss: gamma -1 and alpha 0.25, expected gamma from 0 up",
                                    [] { return focal_loss(ones({2}), ones({2}), {.gamma = -1}); })}),
  };
}

std::vector<OpTest> distance_ops() {
  return {
      {"normalize",
       [](const Tensors& x, const Attributes& a) { return normalize(x[0], {.p = a["p"], .axis = a["axis"]}); },
       reference::normalize,
       {throws<ShapeError>("normalize: axis 1 of input [3], which has 1 axes", [] { return normalize(ones({3})); }),
        throws<ValueError>("normalize: p 0, expected 1 to infinity",
                           [] {
                             return normalize(ones({3, 2}), {.p = 0});
                           })}},
      {"cosine_similarity",
       [](const Tensors& x, const Attributes& a) { return cosine_similarity(x[0], x[1], {.axis = a["axis"]}); },
       reference::cosine_similarity,
       {throws<ShapeError>("cosine_similarity: axis 1 of inputs that broadcast to [3]",
                           [] { return cosine_similarity(ones({3}), ones({3})); }),
        throws<ShapeError>("cosine_similarity: shapes [2, 3] and [2, 4] do not broadcast",
                           [] {
                             return cosine_similarity(ones({2, 3}), ones({2, 4}));
                           })}},
      {"pairwise_distance",
       [](const Tensors& x, const Attributes& a) {
         return pairwise_distance(x[0], x[1], {.p = a["p"], .keepdim = a.value("keepdim", false)});
       },
       reference::pairwise_distance,
       {throws<ShapeError>("pairwise_distance: a [] and b [], expected [..., D]",
                           [] { return pairwise_distance(scalar(1), scalar(1)); }),
        throws<ValueError>("pairwise_distance: p 0.5, expected 1 to infinity",
                           [] {
                             return pairwise_distance(ones({2, 3}), ones({2, 3}), {.p = 0.5});
                           })}},
      {"cosine_embedding_loss",
       [](const Tensors& x, const Attributes& a) {
         return cosine_embedding_loss(x[0], x[1], x[2], {a["margin"], reduction(a)});
       },
       reference::cosine_embedding_loss,
       {throws<ShapeError>("cosine_embedding_loss: a [2, 3] and y [3], expected [N, D] and [N], or [D] and []",
                           [] {
                             return cosine_embedding_loss(ones({2, 3}), ones({2, 3}), ones({3}));
                           }),
        throws<ValueError>("cosine_embedding_loss: y [2] has 0, expected 1 and -1",
                           [] {
                             return cosine_embedding_loss(ones({2, 3}), ones({2, 3}), zeros({2}));
                           })}},
      {"margin_ranking_loss",
       [](const Tensors& x, const Attributes& a) {
         return margin_ranking_loss(x[0], x[1], x[2], {a["margin"], reduction(a)});
       },
       reference::margin_ranking_loss,
       {throws<ShapeError>("margin_ranking_loss: a [2] and y [3], expected the same shape",
                           [] { return margin_ranking_loss(ones({2}), ones({2}), ones({3})); }),
        throws<ValueError>("margin_ranking_loss: mean over input [0], which is empty",
                           [] { return margin_ranking_loss(ones({0}), ones({0}), ones({0})); })}},
      pair_loss(
          "hinge_embedding_loss",
          [](const Tensors& x, const Attributes& a) {
            return hinge_embedding_loss(x[0], x[1], {a["margin"], reduction(a)});
          },
          reference::hinge_embedding_loss),
      pair_loss(
          "soft_margin_loss",
          [](const Tensors& x, const Attributes& a) { return soft_margin_loss(x[0], x[1], {reduction(a)}); },
          reference::soft_margin_loss),
      {"multi_margin_loss",
       [](const Tensors& x, const Attributes& a) {
         return multi_margin_loss(x[0], x[1], {a["p"], a["margin"], reduction(a)});
       },
       reference::multi_margin_loss,
       {throws<ValueError>("multi_margin_loss: label -1 of row 1 is outside the 3 classes",
                           [] {
                             return multi_margin_loss(ones({2, 3}), indices({0, -1}));
                           }),
        throws<ValueError>("multi_margin_loss: p 3, expected 1 or 2",
                           [] {
                             return multi_margin_loss(ones({2, 3}), indices({0, 1}), {.p = 3});
                           })}},
      {"triplet_margin_loss",
       [](const Tensors& x, const Attributes& a) {
         return triplet_margin_loss(x[0], x[1], x[2],
                                    {.margin = a["margin"], .p = a["p"], .swap = a["swap"], .reduction = reduction(a)});
       },
       reference::triplet_margin_loss,
       {throws<ShapeError>("triplet_margin_loss: anchor [2, 3] and negative [3], expected the same shape",
                           [] {
                             return triplet_margin_loss(ones({2, 3}), ones({2, 3}), ones({3}));
                           }),
        throws<ShapeError>("triplet_margin_loss: anchor [], expected [..., D]",
                           [] { return triplet_margin_loss(scalar(1), scalar(1), scalar(1)); })}},
  };
}

CtcOptions ctc_options(const Attributes& a) {
  return {a.value("blank", 0), reduction(a), a.value("zero_infinity", false)};
}

std::vector<OpTest> sequence_ops() {
  return {
      {"ctc_loss",
       [](const Tensors& x, const Attributes& a) {
         return ctc_loss(log_softmax(x[0]), x[1], x[2], x[3], ctc_options(a));
       },
       reference::ctc_loss,
       {throws<ValueError>("ctc_loss: target 0 of 2 labels needs 3 steps, its input has 2; zero_infinity leaves it out",
                           [] {
                             return ctc_loss(zeros({1, 2, 3}), indices({1, 1}), indices({2}), indices({2}));
                           }),
        throws<ValueError>("ctc_loss: label 0 of target 0 is outside the 3 classes, or the blank",
                           [] {
                             return ctc_loss(zeros({1, 2, 3}), indices({0}), indices({2}), indices({1}));
                           }),
        throws<ValueError>("ctc_loss: input_lengths has 3, expected 0 to 2",
                           [] {
                             return ctc_loss(zeros({1, 2, 3}), indices({1}), indices({3}), indices({1}));
                           }),
        throws<ShapeError>("ctc_loss: log_probs [2, 3], expected [N, T, classes]",
                           [] {
                             return ctc_loss(zeros({2, 3}), indices({1}), indices({3}), indices({1}));
                           })}},
  };
}

OpTest segment(const std::string& name, Tensor (*op)(const Tensor&, const Tensor&), reference::Reference reference) {
  return {name,
          [op](const Tensors& x, const Attributes&) { return op(x[0], x[1]); },
          std::move(reference),
          {throws<ValueError>(name + ": offset 2 is 1, after 2; expected not to fall, and at most the 3 rows",
                              [op] {
                                return op(ones({3, 2}), indices({0, 2, 1}));
                              }),
           throws<ShapeError>(name + ": input [3] and offsets [0], expected [N, ...] and [segments + 1]",
                              [op] { return op(ones({3}), indices({})); })}};
}

std::vector<OpTest> segment_tests() {
  return {
      segment("segment_sum", segment_sum, reference::segment_sum),
      segment("segment_mean", segment_mean, reference::segment_mean),
      segment("segment_max", segment_max, reference::segment_extreme<true>),
      segment("segment_min", segment_min, reference::segment_extreme<false>),
      {"embedding_bag",
       [](const Tensors& x, const Attributes& a) {
         const bool matrix = x[1].rank() == 2;
         const std::string mode = a["mode"];
         EmbeddingBagOptions options{.mode = mode == "mean"  ? BagMode::mean
                                             : mode == "sum" ? BagMode::sum
                                                             : BagMode::max,
                                     .per_sample_weights = optional(x, matrix ? 2 : 3),
                                     .include_last_offset = a.value("last", false)};
         if (a.contains("padding")) options.padding = a["padding"].get<std::int64_t>();
         return embedding_bag(x[1], x[0], matrix ? Tensor() : x[2], options);
       },
       reference::embedding_bag,
       {throws<ValueError>("embedding_bag: id 2 at place 1 is outside the 2 rows of weight [2, 3]",
                           [] {
                             return embedding_bag(indices({0, 2}), ones({2, 3}), indices({0}));
                           }),
        throws<ValueError>(
            "embedding_bag: per_sample_weights, expected BagMode::sum with them",
            [] {
              return embedding_bag(indices({0}), ones({2, 3}), indices({0}), {.per_sample_weights = ones({1})});
            }),
        throws<ValueError>("embedding_bag: the first offset is 1, expected 0",
                           [] {
                             return embedding_bag(indices({0, 1}), ones({2, 3}), indices({1}));
                           }),
        throws<ShapeError>("embedding_bag: ids [2] without offsets, expected [bags, n]",
                           [] {
                             return embedding_bag(indices({0, 1}), ones({2, 3}));
                           })}},
  };
}

bool same_bits(const Tensor& a, const Tensor& b) { return std::ranges::equal(a.values<float>(), b.values<float>()); }

}  // namespace

std::vector<OpTest> more_loss_ops() {
  std::vector<OpTest> all;
  for (auto* family : {regression_ops, class_ops, distance_ops, sequence_ops}) {
    for (OpTest& test : family()) all.push_back(std::move(test));
  }
  return all;
}
std::vector<OpTest> segment_ops() { return segment_tests(); }

TEST_CASE("losses of numbers") { check(regression_ops()); }
TEST_CASE("losses of probabilities") { check(class_ops()); }
TEST_CASE("distances, angles and margins") { check(distance_ops()); }
TEST_CASE("sequences read out of others") { check(sequence_ops()); }
TEST_CASE("segments and bags") { check(segment_tests()); }

TEST_CASE("the slope of a probability of 0 or 1 that should be the other is finite") {
  const Tensor x = from({0, 1, 0, 1}, {4}), t = from({0, 1, 1, 0}, {4});
  Tape tape;
  tape.watch(x);
  const Tensor loss = binary_cross_entropy(x, t, {.reduction = Reduction::none});
  CHECK(std::ranges::equal(loss.values<float>(), std::vector<float>{0, 0, 100, 100}));
  tape.backward(sum(loss));
  CHECK(std::ranges::equal(tape.gradient(x).values<float>(), std::vector<float>{0, 0, -1e12f, 1e12f}));
}

TEST_CASE("ctc_loss: the slope of log_probs is minus the share of each class; a loss of infinity has none") {
  Tensor x = log_softmax(full({2, 3, 3}, 0.5f));
  x.mutable_data<float>()[9 + 1] = -HUGE_VALF;  // of the second example class 1 is impossible in all steps
  x.mutable_data<float>()[9 + 4] = -HUGE_VALF;
  x.mutable_data<float>()[9 + 7] = -HUGE_VALF;
  Tape tape;
  tape.watch(x);
  const Tensor loss = ctc_loss(x, indices({1, 1}), indices({3, 3}), indices({1, 1}), {.reduction = Reduction::none});
  CHECK(loss.data<float>()[0] == doctest::Approx(std::log(27.0 / 6.0)));
  CHECK(loss.data<float>()[1] == HUGE_VALF);
  tape.backward(sum(loss));
  const Tensor dx = tape.gradient(x);
  double total = 0;
  for (int i = 0; i < 9; ++i) total += static_cast<double>(dx.data<float>()[i]);
  CHECK(total == doctest::Approx(-3.0));  // in each step one class is emitted
  for (int i = 9; i < 18; ++i) CHECK(dx.data<float>()[i] == 0.0f);
}

TEST_CASE("segments of sorted rows") {
  const auto numbers = [](const Tensor& x) {
    return std::vector<std::int64_t>(x.values<std::int64_t>().begin(), x.values<std::int64_t>().end());
  };
  CHECK(numbers(segment_offsets(indices({0, 0, 2, 2, 3}), 5)) == std::vector<std::int64_t>{0, 2, 2, 4, 5, 5});
  CHECK(numbers(segment_offsets(indices({}), 2)) == std::vector<std::int64_t>{0, 0, 0});
  CHECK_THROWS_WITH_AS(segment_offsets(indices({1, 0}), 2),
                       "segment_offsets: id 0 of row 1 after 1, expected not to fall, and below 2", ValueError);
  CHECK_THROWS_AS(segment_offsets(indices({2}), 2), ValueError);
  const Tensor x = from({1, NAN, 2, 5}, {4, 1});
  CHECK(std::isnan(segment_max(x, indices({0, 2, 4})).data<float>()[0]));
  CHECK(segment_max(x, indices({0, 2, 4})).data<float>()[1] == 5.0f);
}

TEST_CASE("segments and bags: the same bits for 1 to 3 threads, and long sums keep their digits") {
  manual_seed(5);
  const Tensor weight = normal({500, 40}), x = normal({30000, 9});
  Tensor ids = empty({40000}, Dtype::i64), offsets = empty({1001}, Dtype::i64);
  for (std::int64_t i = 0; i < ids.numel(); ++i) ids.mutable_data<std::int64_t>()[i] = i * i % 499 % (1 + i % 31);
  for (std::int64_t i = 0; i <= 1000; ++i) offsets.mutable_data<std::int64_t>()[i] = i * 29;
  std::vector<Tensors> results;
  for (const int count : {1, 2, 3}) {
    set_threads(count);
    Tape tape;
    tape.watch(weight);
    tape.watch(x);
    const Tensor bags = embedding_bag(ids, weight, offsets, {.mode = BagMode::sum}), rows = segment_mean(x, offsets);
    tape.backward(sum(bags) + sum(rows));
    results.push_back({bags, rows, tape.gradient(weight), tape.gradient(x)});
  }
  set_threads(1);
  for (const Tensors& result : results) {
    for (std::size_t i = 0; i < result.size(); ++i) CHECK(same_bits(result[i], results[0][i]));
  }
  const Tensor tenths =
      embedding_bag(zeros({1, 1'000'000}, Dtype::i64), full({1, 1}, 0.1f), {}, {.mode = BagMode::sum});
  CHECK(std::abs(tenths.item() / 1e5 - 1.0) < 2e-6);
}

}  // namespace temper::test
