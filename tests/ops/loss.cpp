#include <temper/autograd/ops/loss.hpp>

#include <doctest/doctest.h>

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
        throws<ShapeError>("cross_entropy: labels [2] is f32, expected i64",
                           [] {
                             return cross_entropy(ones({2, 3}), ones({2}));
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
          [](const Tensor& x, const Tensor& t, LossOptions options) { return bce_with_logits(x, t, options); },
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

}  // namespace temper::test
