#include <temper/autograd/ops/activation.hpp>

#include <doctest/doctest.h>

#include <limits>

#include <temper/autograd/ops/dropout.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/elementwise.hpp"
#include "tests/reference/loss.hpp"

namespace temper::test {

namespace {

OpTest of_one(const std::string& name, Tensor (*op)(const Tensor&), reference::Reference reference) {
  return {name,
          [op](const Tensors& x, const Attributes&) { return op(x[0]); },
          std::move(reference),
          {throws<ShapeError>(name.substr(0, name.find('_')) + ": input [2, 3] is i64, expected f32",
                              [op] {
                                return op(zeros({2, 3}, Dtype::i64));
                              }),
           throws<ValueError>("undefined tensor", [op] { return op(Tensor()); })}};
}

OpTest along_axis(const std::string& name, Tensor (*op)(const Tensor&, int), reference::Reference reference) {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  return {
      name,
      [op](const Tensors& x, const Attributes& a) { return op(x[0], a["axis"]); },
      std::move(reference),
      {throws<ShapeError>(name + ": axis 2 of input [2, 3], which has 2 axes",
                          [op] {
                            return op(ones({2, 3}), 2);
                          }),
       throws<ValueError>(name + ": input [2, 2] has a line of nothing but -inf along axis 1",
                          [op] {
                            return op(from({1, 2, -infinity, -infinity}, {2, 2}), 1);
                          }),
       throws<ShapeError>(name + ": input [3] is i64, expected f32", [op] { return op(zeros({3}, Dtype::i64), 0); })}};
}

}  // namespace

std::vector<OpTest> activation_ops() {
  return {
      of_one("relu", relu, reference::relu),
      of_one(
          "gelu", [](const Tensor& x) { return gelu(x); }, reference::gelu),
      of_one(
          "gelu_tanh", [](const Tensor& x) { return gelu(x, GeluForm::tanh); }, reference::gelu_tanh),
      of_one("silu", silu, reference::silu),
      of_one("sigmoid", sigmoid, reference::logistic),
      of_one("tanh", tanh, reference::hyperbolic_tangent),
      of_one("softplus", softplus, reference::softplus),
      {"leaky_relu",
       [](const Tensors& x, const Attributes& a) { return leaky_relu(x[0], a["slope"]); },
       reference::leaky_relu,
       {throws<ShapeError>("leaky_relu: input [2, 3] is i64, expected f32",
                           [] {
                             return leaky_relu(zeros({2, 3}, Dtype::i64));
                           }),
        throws<ValueError>("undefined tensor", [] { return leaky_relu(Tensor()); })}},
      along_axis("softmax", softmax, reference::softmax),
      along_axis("log_softmax", log_softmax, reference::log_softmax),
      // Nothing is dropped here; what is otherwise, tests/ops/dropout.cpp says.
      {"dropout",
       [](const Tensors& x, const Attributes& a) { return dropout(x[0], a["p"]); },
       reference::identity,
       {throws<ValueError>("dropout: p is 1, expected from 0 to below 1", [] { return dropout(ones({3}), 1.0); }),
        throws<ValueError>("dropout: p is nan", [] { return dropout(ones({3}), std::nan("")); }),
        throws<ShapeError>("dropout: input [3] is i64, expected f32",
                           [] { return dropout(zeros({3}, Dtype::i64), 0.5); })}},
  };
}

TEST_CASE("activations") { check(activation_ops()); }

}  // namespace temper::test
