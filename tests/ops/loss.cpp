#include <temper/autograd/ops/loss.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/loss.hpp"

namespace temper::test {

namespace {

Reduction reduction(const Attributes& a) {
  const std::string name = a.value("reduction", "mean");
  return name == "mean" ? Reduction::mean : name == "sum" ? Reduction::sum : Reduction::none;
}

template <class Op>
OpTest of_pairs(const std::string& name, Op op, reference::Reference reference) {
  return {name,
          [op](const Tensors& x, const Attributes& a) { return op(x[0], x[1], {.reduction = reduction(a)}); },
          std::move(reference),
          {throws<ShapeError>(name + ": input [2, 3] and target [3], expected the same shape",
                              [op] {
                                return op(ones({2, 3}), ones({3}), {});
                              }),
           throws<ShapeError>(name + ": target [3] is i64, expected f32",
                              [op] { return op(ones({3}), zeros({3}, Dtype::i64), {}); }),
           throws<ValueError>(name + ": mean over input [0, 3], which is empty", [op] {
             return op(ones({0, 3}), ones({0, 3}), {});
           })}};
}

}  // namespace

std::vector<OpTest> loss_ops() {
  return {
      {"class_weights",
       [](const Tensors& x, const Attributes& a) {
         CrossEntropyOptions options{.label_smoothing = a.value("label_smoothing", 0.0f), .reduction = reduction(a)};
         if (x.size() > 2) options.weight = x[2];
         return cross_entropy(x[0], x[1], options);
       },
       reference::weighted_cross_entropy,
       {throws<ShapeError>("cross_entropy: weight [2], logits [2, 3] expect [3]",
                           [] {
                             return cross_entropy(ones({2, 3}), indices({0, 1}), {.weight = ones({2})});
                           }),
        throws<ValueError>("cross_entropy: mean over 2 rows whose weights sum to 0",
                           [] {
                             return cross_entropy(ones({2, 3}), indices({0, 1}), {.weight = zeros({3})});
                           })}},
      {"linear_cross_entropy",
       [](const Tensors& x, const Attributes& a) {
         return linear_cross_entropy(x[0], x[1], x[2],
                                     {.label_smoothing = a.value("label_smoothing", 0.0f), .reduction = reduction(a)});
       },
       reference::linear_cross_entropy,
       {throws<ShapeError>("linear_cross_entropy: input [2, 3] and weight [5, 4], expected [..., D] and [classes, D]",
                           [] {
                             return linear_cross_entropy(ones({2, 3}), ones({5, 4}), indices({0, 1}));
                           }),
        throws<ValueError>("cross_entropy: label 5 of row 1 is outside the 5 classes",
                           [] {
                             return linear_cross_entropy(ones({2, 3}), ones({5, 3}), indices({0, 5}));
                           })}},
      {"cross_entropy",
       [](const Tensors& x, const Attributes& a) {
         return cross_entropy(x[0], x[1],
                              {.ignore_index = a.value("ignore_index", -100),
                               .label_smoothing = a.value("label_smoothing", 0.0f),
                               .reduction = reduction(a)});
       },
       reference::cross_entropy,
       {throws<ValueError>("cross_entropy: label 3 of row 1 is outside the 3 classes",
                           [] {
                             return cross_entropy(ones({2, 3}), indices({0, 3}));
                           }),
        throws<ValueError>("cross_entropy: label -1 of row 0 is outside the 3 classes",
                           [] {
                             return cross_entropy(ones({2, 3}), indices({-1, 0}));
                           }),
        throws<ShapeError>("cross_entropy: logits [2, 3] and labels [3], expected [..., classes] and [...]",
                           [] {
                             return cross_entropy(ones({2, 3}), indices({0, 1, 2}));
                           }),
        throws<ShapeError>("cross_entropy: labels [2] is bool, expected i64",
                           [] {
                             return cross_entropy(ones({2, 3}), zeros({2}, Dtype::boolean));
                           }),
        throws<ShapeError>("cross_entropy: logits [2, 3] and probabilities [2], expected the same [..., classes]",
                           [] {
                             return cross_entropy(ones({2, 3}), ones({2}));
                           }),
        throws<ValueError>("cross_entropy: mean over no row: logits [0, 3]",
                           [] {
                             return cross_entropy(ones({0, 3}), ones({0, 3}));
                           }),
        throws<ValueError>("cross_entropy: mean over no row: 2 labels, 2 of them ignored",
                           [] {
                             return cross_entropy(ones({2, 3}), indices({-100, -100}));
                           }),
        throws<ValueError>("cross_entropy: label_smoothing 1.5, expected 0 to 1",
                           [] {
                             return cross_entropy(ones({1, 3}), indices({0}), {.label_smoothing = 1.5f});
                           })}},
      of_pairs(
          "mse_loss", [](const Tensor& x, const Tensor& t, LossOptions options) { return mse_loss(x, t, options); },
          reference::mse_loss),
      of_pairs(
          "l1_loss", [](const Tensor& x, const Tensor& t, LossOptions options) { return l1_loss(x, t, options); },
          reference::l1_loss),
      of_pairs(
          "bce_with_logits",
          [](const Tensor& x, const Tensor& t, LossOptions options) {
            return bce_with_logits(x, t, {options.reduction});
          },
          reference::bce_with_logits),
      {"huber_loss",
       [](const Tensors& x, const Attributes& a) {
         return huber_loss(x[0], x[1], {.delta = a.value("delta", 1.0f), .reduction = reduction(a)});
       },
       reference::huber_loss,
       {throws<ValueError>("huber_loss: delta 0, expected above 0",
                           [] { return huber_loss(ones({3}), ones({3}), {.delta = 0}); }),
        throws<ShapeError>("huber_loss: input [2, 3] and target [3], expected the same shape",
                           [] {
                             return huber_loss(ones({2, 3}), ones({3}));
                           })}},
  };
}

TEST_CASE("losses") { check(loss_ops()); }

TEST_CASE("cross entropy with probabilities") {
  // Results of PyTorch 1.13 in float64.
  const Tensor x = from({1.0f, -2.0f, 0.5f, 0.25f, 3.0f, -1.0f}, {2, 3});
  const Tensor t = from({0.7f, 0.3f, 0.0f, 0.1f, 0.5f, 0.4f}, {2, 3});
  struct Case {
    float smoothing;
    Reduction reduction;
    std::vector<double> losses, dx;
  };
  const std::vector<Case> cases{{0.0f,
                                 Reduction::mean,
                                 {1.6793165518731916},
                                 {-0.04812555192568707, -0.13497055621521298, 0.1830961081409001, -0.020465121203744885,
                                  0.21200323675393346, -0.1915381155501886}},
                                {0.1f,
                                 Reduction::mean,
                                 {1.711399885206525},
                                 {-0.02979221859235376, -0.13663722288187966, 0.16642944147423344, -0.03213178787041156,
                                  0.2203365700872668, -0.18820478221685527}},
                                {0.1f,
                                 Reduction::sum,
                                 {3.42279977041305},
                                 {-0.05958443718470752, -0.2732744457637593, 0.3328588829484669, -0.06426357574082311,
                                  0.4406731401745336, -0.37640956443371054}},
                                {0.1f,
                                 Reduction::none,
                                 {1.4312635690089501, 1.9915362014040998},
                                 {-0.05958443718470752, -0.2732744457637593, 0.3328588829484669, -0.06426357574082311,
                                  0.4406731401745336, -0.37640956443371054}}};
  for (const Case& c : cases) {
    CAPTURE(c.smoothing);
    CAPTURE(static_cast<int>(c.reduction));
    Parameter p(x.clone(), Role::weight);
    Tape tape;
    const Tensor losses = cross_entropy(p, t, {.label_smoothing = c.smoothing, .reduction = c.reduction});
    REQUIRE(losses.numel() == static_cast<std::int64_t>(c.losses.size()));
    for (std::size_t i = 0; i < c.losses.size(); ++i) {
      CHECK(losses.values<float>()[i] == doctest::Approx(c.losses[i]).epsilon(1e-6));
    }
    tape.backward(sum(losses));
    for (std::size_t i = 0; i < c.dx.size(); ++i) {
      CHECK(std::abs(p.gradient().values<float>()[i] - c.dx[i]) < 1e-6);
    }
  }
  // Probability 1 for one class is the same as that class as a label.
  CHECK(cross_entropy(x, from({0.0f, 1.0f, 0.0f, 0.0f, 0.0f, 1.0f}, {2, 3})).item() ==
        doctest::Approx(cross_entropy(x, indices({1, 2})).item()).epsilon(1e-6));
}

}  // namespace temper::test
