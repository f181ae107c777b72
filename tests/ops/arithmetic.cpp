#include <temper/autograd/ops/arithmetic.hpp>

#include <doctest/doctest.h>

#include <limits>

#include <temper/autograd/ops/compare.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/elementwise.hpp"

namespace temper::test {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

using Binary = Tensor (*)(const Tensor&, const Tensor&);
using Unary = Tensor (*)(const Tensor&);

OpTest of_two(const std::string& name, Binary op, reference::Reference reference, const std::string& accepted) {
  return {name,
          [op](const Tensors& x, const Attributes&) { return op(x[0], x[1]); },
          std::move(reference),
          {throws<ShapeError>(name + ": shapes [2, 3] and [4, 3] do not broadcast: axis -2 has sizes 2 and 4",
                              [op] {
                                return op(ones({2, 3}), ones({4, 3}));
                              }),
           throws<ShapeError>(name + ": b [3] is i64, expected " + accepted,
                              [op] { return op(ones({3}), zeros({3}, Dtype::i64)); }),
           throws<ValueError>("undefined tensor", [op] { return op(Tensor(), ones({3})); })}};
}

OpTest of_one(const std::string& name, Unary op, reference::Reference reference) {
  return {name,
          [op](const Tensors& x, const Attributes&) { return op(x[0]); },
          std::move(reference),
          {throws<ShapeError>(name + ": input [2, 3] is bool, expected f32",
                              [op] {
                                return op(zeros({2, 3}, Dtype::boolean));
                              }),
           throws<ValueError>("undefined tensor", [op] { return op(Tensor()); })}};
}

}  // namespace

std::vector<OpTest> arithmetic_ops() {
  return {
      of_two("add", add, reference::add, "f32"),
      of_two("sub", sub, reference::sub, "f32"),
      of_two("mul", mul, reference::mul, "f32"),
      of_two("div", div, reference::div, "f32"),
      of_two("maximum", maximum, reference::maximum, "f32"),
      of_two("minimum", minimum, reference::minimum, "f32"),
      of_two("equal", equal, reference::equal, "f32"),
      of_two("not_equal", not_equal, reference::not_equal, "f32"),
      of_two("less", less, reference::less, "f32"),
      of_two("less_equal", less_equal, reference::less_equal, "f32"),
      of_two("greater", greater, reference::greater, "f32"),
      of_two("greater_equal", greater_equal, reference::greater_equal, "f32"),
      of_one("neg", neg, reference::neg),
      of_one("exp", exp, reference::exponential),
      of_one("log", log, reference::logarithm),
      of_one("sqrt", sqrt, reference::square_root),
      of_one("abs", abs, reference::absolute),
      {"pow",
       [](const Tensors& x, const Attributes& a) {
         return a.contains("exponent") ? pow(x[0], a["exponent"].get<double>()) : pow(x[0], x[1]);
       },
       reference::power,
       {throws<ShapeError>("pow: shapes [2, 3] and [4] do not broadcast: axis -1 has sizes 3 and 4",
                           [] {
                             return pow(ones({2, 3}), ones({4}));
                           }),
        throws<ShapeError>("pow: base [3] is i64, expected f32", [] { return pow(zeros({3}, Dtype::i64), 2.0); })}},
      {"clamp",
       [](const Tensors& x, const Attributes& a) {
         return clamp(x[0], a.value("min", -infinity), a.value("max", infinity));
       },
       reference::clamp,
       {throws<ValueError>("clamp: from 2 to 1, expected low <= high", [] { return clamp(ones({3}), 2, 1); }),
        throws<ShapeError>("clamp: input [3] is bool, expected f32",
                           [] { return clamp(zeros({3}, Dtype::boolean), 0, 1); })}},
      {"where",
       [](const Tensors& x, const Attributes&) { return where(x[0], x[1], x[2]); },
       reference::where,
       {throws<ShapeError>("where: condition [3] is f32, expected bool",
                           [] { return where(ones({3}), ones({3}), ones({3})); }),
        throws<ShapeError>("where: shapes", [] { return where(zeros({3}, Dtype::boolean), ones({4}), ones({4})); })}},
  };
}

TEST_CASE("arithmetic") { check(arithmetic_ops()); }

}  // namespace temper::test
