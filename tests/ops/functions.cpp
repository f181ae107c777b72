#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include <temper/autograd/ops/binary.hpp>
#include <temper/autograd/ops/gated.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/unary.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/functions.hpp"

namespace temper::test {

namespace {

OpTest of_one(const std::string& name, Tensor (*op)(const Tensor&), reference::Reference reference) {
  return {name,
          [op](const Tensors& x, const Attributes&) { return op(x[0]); },
          std::move(reference),
          {throws<ShapeError>("input [2, 3] is bool, expected f32",
                              [op] {
                                return op(zeros({2, 3}, Dtype::boolean));
                              }),
           throws<ValueError>("is an undefined tensor", [op] { return op(Tensor()); })}};
}

OpTest gate(const std::string& name, Tensor (*op)(const Tensor&), reference::Reference reference) {
  OpTest test = of_one(name, op, std::move(reference));
  test.errors.push_back(
      throws<ShapeError>(name + ": input [2, 3], expected two halves of the same size in its last axis", [op] {
        return op(ones({2, 3}));
      }));
  return test;
}

template <class Call>
OpTest with_option(const std::string& name, Call call, reference::Reference reference, std::vector<ErrorCase> errors) {
  errors.push_back(throws<ShapeError>(name + ": input [3] is i64, expected f32", [call] {
    return call(zeros({3}, Dtype::i64), Attributes{{"alpha", 1.0}, {"lambd", 1.0}, {"threshold", 0.0}, {"value", 0.0}});
  }));
  return {name, [call](const Tensors& x, const Attributes& a) { return call(x[0], a); }, std::move(reference),
          std::move(errors)};
}

OpTest of_two(const std::string& name, const std::string& first, Tensor (*op)(const Tensor&, const Tensor&),
              reference::Reference reference) {
  return {
      name,
      [op](const Tensors& x, const Attributes&) { return op(x[0], x[1]); },
      std::move(reference),
      {throws<ShapeError>(name + ": " + first + " [2] is i64, expected f32", [op] { return op(arange(2), ones({2})); }),
       throws<ShapeError>(name + ": shapes [2] and [3] do not broadcast", [op] { return op(ones({2}), ones({3})); })}};
}

}  // namespace

std::vector<OpTest> function_ops() {
  return {
      of_one("sin", sin, reference::sine),
      of_one("cos", cos, reference::cosine),
      of_one("tan", tan, reference::tangent),
      of_one("asin", asin, reference::arc_sine),
      of_one("acos", acos, reference::arc_cosine),
      of_one("atan", atan, reference::arc_tangent),
      of_one("sinh", sinh, reference::hyperbolic_sine),
      of_one("cosh", cosh, reference::hyperbolic_cosine),
      of_one("asinh", asinh, reference::area_sine),
      of_one("acosh", acosh, reference::area_cosine),
      of_one("atanh", atanh, reference::area_tangent),
      of_one("erf", erf, reference::error_function),
      of_two("atan2", "y", atan2, reference::atan2),
      of_two("logaddexp", "a", logaddexp, reference::logaddexp),
      of_one("expm1", expm1, reference::exponential_minus_1),
      of_one("log1p", log1p, reference::logarithm_of_1_plus),
      of_one("rsqrt", rsqrt, reference::inverse_root),
      of_one("reciprocal", reciprocal, reference::inverted),
      of_one("square", square, reference::squared),
      of_one("sign", sign, reference::sign),
      of_one("floor", floor, reference::floor),
      of_one("ceil", ceil, reference::ceil),
      of_one("round", round, reference::round),
      of_one("trunc", trunc, reference::trunc),
      of_one("mish", mish, reference::mish),
      of_one("softsign", softsign, reference::softsign),
      of_one("hardsigmoid", hardsigmoid, reference::hardsigmoid),
      of_one("hardswish", hardswish, reference::hardswish),
      of_one("relu6", relu6, reference::relu6),
      of_one("logsigmoid", logsigmoid, reference::logsigmoid),
      of_one("tanhshrink", tanhshrink, reference::tanhshrink),
      of_one("selu", selu, reference::selu),
      with_option("elu", [](const Tensor& x, const Attributes& a) { return elu(x, a["alpha"]); }, reference::elu,
                  {throws<ValueError>("elu: input is an undefined tensor", [] { return elu(Tensor()); })}),
      with_option(
          "celu", [](const Tensor& x, const Attributes& a) { return celu(x, a["alpha"]); }, reference::celu,
          {throws<ValueError>("celu: alpha 0, expected another number than 0", [] { return celu(ones({2}), 0.0f); })}),
      with_option("softshrink", [](const Tensor& x, const Attributes& a) { return softshrink(x, a["lambd"]); },
                  reference::softshrink,
                  {throws<ValueError>("softshrink: lambda -1, expected at least 0",
                                      [] { return softshrink(ones({2}), -1.0f); })}),
      with_option("hardshrink", [](const Tensor& x, const Attributes& a) { return hardshrink(x, a["lambd"]); },
                  reference::hardshrink,
                  {throws<ValueError>("hardshrink: lambda -1, expected at least 0",
                                      [] { return hardshrink(ones({2}), -1.0f); })}),
      {"hardtanh",
       [](const Tensors& x, const Attributes& a) { return hardtanh(x[0], a["min"], a["max"]); },
       reference::clamp,
       {throws<ValueError>("hardtanh: from 2 to 1, expected min <= max", [] { return hardtanh(ones({3}), 2, 1); }),
        throws<ShapeError>("hardtanh: input [3] is i64, expected f32", [] { return hardtanh(arange(3)); })}},
      with_option("threshold",
                  [](const Tensor& x, const Attributes& a) { return threshold(x, a["threshold"], a["value"]); },
                  reference::threshold,
                  {throws<ValueError>("threshold: input is an undefined tensor",
                                      [] { return threshold(Tensor(), 0.0f, 0.0f); })}),
      {"prelu",
       [](const Tensors& x, const Attributes&) { return prelu(x[0], x[1]); },
       reference::prelu,
       {throws<ShapeError>("prelu: weight [2], input [4, 3] expects [1] or [3]",
                           [] {
                             return prelu(ones({4, 3}), ones({2}));
                           }),
        throws<ShapeError>("prelu: input [3] is i64, expected f32",
                           [] { return prelu(zeros({3}, Dtype::i64), ones({1})); })}},
      gate("swiglu", swiglu, reference::swiglu),
      gate(
          "geglu", [](const Tensor& x) { return geglu(x); }, reference::geglu),
      gate("reglu", reglu, reference::reglu),
      gate("glu", glu, reference::glu),
  };
}

TEST_CASE("functions of one number, and gated units") { check(function_ops()); }

TEST_CASE("angles on the axes, their gradient at the origin, and sums of exponentials of infinities") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const Tensor y = from({0, -0.0f, 1, 0}, {4}), x = from({-1, -1, 0, 0}, {4});
  Tape tape;
  tape.watch(y);
  tape.watch(x);
  const Tensor angle = atan2(y, x);
  const float pi = 3.14159265f;
  CHECK(std::ranges::equal(angle.values<float>(), std::initializer_list<float>{pi, -pi, pi / 2, 0}));
  tape.backward(sum(angle));
  CHECK(tape.gradient(y).data<float>()[3] == 0.0f);
  CHECK(tape.gradient(x).data<float>()[3] == 0.0f);
  CHECK(tape.gradient(y).data<float>()[0] == -1.0f);
  const Tensor sums =
      logaddexp(from({-infinity, infinity, -infinity, 3}, {4}), from({-infinity, infinity, 2, -200}, {4}));
  CHECK(std::ranges::equal(sums.values<float>(), std::initializer_list<float>{-infinity, infinity, 2, 3}));
}

}  // namespace temper::test
