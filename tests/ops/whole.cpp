// Whole numbers and their bits, truth values, casts, and statistics.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/bitwise.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/compare.hpp>
#include <temper/autograd/ops/divide.hpp>
#include <temper/autograd/ops/logical.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/ops/sort.hpp>
#include <temper/autograd/ops/statistics.hpp>
#include <temper/autograd/ops/unary.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/shape.hpp"
#include "tests/reference/whole.hpp"

namespace temper::test {

namespace {

using Unary = Tensor (*)(const Tensor&);
using Binary = Tensor (*)(const Tensor&, const Tensor&);
using Reduce = Tensor (*)(const Tensor&, const Axes&, ReduceOptions);

/// An operation of two whole numbers, or of two numbers of one kind.
OpTest of_two(const std::string& name, Binary op, reference::Reference reference) {
  return {name,
          [op](const Tensors& x, const Attributes&) { return op(x[0], x[1]); },
          std::move(reference),
          {throws<ShapeError>(": shapes [2] and [3] do not broadcast: axis -1 has sizes 2 and 3",
                              [op] {
                                return op(indices({1, 2}), indices({1, 2, 3}));
                              }),
           throws<ShapeError>(": b [2] is f32, expected i64", [op] { return op(arange(2), ones({2})); })}};
}

OpTest of_one(const std::string& name, Unary op, reference::Reference reference) {
  return {name,
          [op](const Tensors& x, const Attributes&) { return op(x[0]); },
          std::move(reference),
          {throws<ShapeError>(": input [2] is bool, expected f32", [op] { return op(zeros({2}, Dtype::boolean)); }),
           throws<ValueError>("is an undefined tensor", [op] { return op(Tensor()); })}};
}

OpTest truth(const std::string& name, Binary op, reference::Reference reference) {
  return {name,
          [op](const Tensors& x, const Attributes&) { return op(x[0], x[1]); },
          std::move(reference),
          {throws<ShapeError>(name + ": shapes [2] and [3] do not broadcast: axis -1 has sizes 2 and 3",
                              [op] { return op(zeros({2}, Dtype::boolean), zeros({3}, Dtype::boolean)); }),
           throws<ShapeError>(name + ": a [2] is f32, expected bool",
                              [op] { return op(ones({2}), zeros({2}, Dtype::boolean)); })}};
}

Axes axes_of(const Attributes& a) {
  const auto axes = a.value("axes", std::vector<int>());
  return Axes(std::span<const int>(axes));
}

OpTest reduction(const std::string& name, Reduce op, reference::Reference reference, Dtype dtype) {
  return {name,
          [op](const Tensors& x, const Attributes& a) {
            return op(x[0], axes_of(a), {.keepdim = a.value("keepdim", false)});
          },
          std::move(reference),
          {throws<ShapeError>(": axis 2 of input [2, 3], which has 2 axes",
                              [op, dtype] {
                                return op(zeros({2, 3}, dtype), 2, {});
                              }),
           throws<ValueError>(": input is an undefined tensor", [op] { return op(Tensor(), {}, {}); })}};
}

std::vector<OpTest> integer_ops() {
  std::vector<OpTest> ops = {
      of_two("integer_add", add, reference::add),
      of_two("integer_sub", sub, reference::sub),
      of_two("integer_mul", mul, reference::mul),
      of_two("integer_maximum", maximum, reference::integer_maximum),
      of_two("integer_minimum", minimum, reference::integer_minimum),
      {"integer_div",
       [](const Tensors& x, const Attributes&) { return div(x[0], x[1]); },
       reference::div,
       {throws<ShapeError>("div: shapes [2] and [3] do not broadcast", [] { return div(arange(2), arange(3)); }),
        throws<ShapeError>("div: a [2] is i64, expected f32", [] { return div(arange(2), ones({2})); })}},
      of_one("integer_neg", neg, reference::neg),
      of_one("integer_abs", abs, reference::absolute),
      of_one("integer_sign", sign, reference::sign),
      of_one("integer_square", square, reference::squared),
      {"integer_clamp",
       [](const Tensors& x, const Attributes& a) { return clamp(x[0], a["min"], a["max"]); },
       reference::integer_clamp,
       {throws<ValueError>("clamp: from 2 to 1, expected low <= high", [] { return clamp(arange(3), 2, 1); }),
        throws<ShapeError>("clamp: input [3] is bool", [] { return clamp(zeros({3}, Dtype::boolean), 0, 1); })}},
      {"integer_affine",
       [](const Tensors& x, const Attributes& a) { return a["factor"].get<int>() * x[0] + a["shift"].get<int>(); },
       reference::integer_affine,
       {throws<ValueError>("mul: 0.5 beside i64, expected a whole number up to 2^53", [] { return arange(3) * 0.5; }),
        throws<ShapeError>("add: input [3] is bool", [] { return zeros({3}, Dtype::boolean) + 1; })}},
      reduction("integer_sum", sum, reference::sum, Dtype::i64),
      reduction("integer_max", max, reference::largest, Dtype::i64),
      reduction("integer_min", min, reference::smallest, Dtype::i64),
      of_two("remainder", remainder, reference::rest(reference::floor_of)),
      of_two("fmod", fmod, reference::rest(reference::trunc_of)),
      of_two("floor_divide", floor_divide, reference::quotient(reference::floor_of)),
      of_two(
          "truncate_divide", [](const Tensor& a, const Tensor& b) { return div(a, b, RoundingMode::trunc); },
          reference::quotient(reference::trunc_of)),
      {"cast",
       [](const Tensors& x, const Attributes& a) {
         const std::string dtype = a["to"];
         const bool whole = dtype == "i64", boolean = dtype == "bool";
         const Tensor in = whole || boolean ? stop_gradient(x[0]) : x[0];
         return to(in, whole ? Dtype::i64 : boolean ? Dtype::boolean : Dtype::f32);
       },
       reference::cast,
       {throws<ValueError>("to: input [2] has inf, which is no i64",
                           [] {
                             return to(from({1, HUGE_VALF}, {2}), Dtype::i64);
                           }),
        throws<ValueError>("to: input is an undefined tensor", [] { return to(Tensor(), Dtype::f32); })}},
  };
  return ops;
}

OpTest bits(const std::string& name, Binary op, reference::Reference reference) {
  return {
      name,
      [op](const Tensors& x, const Attributes&) { return op(x[0], x[1]); },
      std::move(reference),
      {throws<ShapeError>(name + ": shapes [2] and [3] do not broadcast", [op] { return op(arange(2), arange(3)); }),
       throws<ShapeError>(name + ": a [2] is f32, expected i64", [op] { return op(ones({2}), arange(2)); })}};
}

OpTest shift(const std::string& name, Binary op, reference::Reference reference) {
  OpTest test = bits(name, op, std::move(reference));
  test.errors.push_back(throws<ValueError>(name + ": b [2] has -1, expected 0 to 63", [op] {
    return op(arange(2), indices({3, -1}));
  }));
  test.errors.push_back(
      throws<ValueError>(name + ": b [1] has 64, expected 0 to 63", [op] { return op(arange(2), indices({64})); }));
  return test;
}

std::vector<OpTest> bit_ops() {
  return {
      bits("bitwise_and", bitwise_and, reference::bits([](auto a, auto b) { return a & b; })),
      bits("bitwise_or", bitwise_or, reference::bits([](auto a, auto b) { return a | b; })),
      bits("bitwise_xor", bitwise_xor, reference::bits([](auto a, auto b) { return a ^ b; })),
      {"bitwise_not",
       [](const Tensors& x, const Attributes&) { return bitwise_not(x[0]); },
       [](const auto& x, const Attributes& a) { return reference::bitwise_not(x, a); },
       {throws<ShapeError>("bitwise_not: input [2] is f32, expected i64", [] { return bitwise_not(ones({2})); }),
        throws<ValueError>("bitwise_not: input is an undefined tensor", [] { return bitwise_not(Tensor()); })}},
      shift("bitwise_left_shift", bitwise_left_shift, reference::bits([](auto a, auto b) { return a << b; })),
      shift("bitwise_right_shift", bitwise_right_shift, reference::bits([](auto a, auto b) { return a >> b; })),
      {"whole_place",
       [](const Tensors& x, const Attributes& a) {
         return a["smallest"].get<bool>() ? argmin(x[0], a["axis"]) : argmax(x[0], a["axis"]);
       },
       reference::place(false, false),
       {throws<ShapeError>("argmax: axis 1 of input [3], which has 1 axes", [] { return argmax(arange(3), 1); }),
        throws<ValueError>("argmin: input [0] has nothing to choose from along axis 0",
                           [] { return argmin(arange(0), 0); })}},
      {"whole_topk",
       [](const Tensors& x, const Attributes& a) {
         const Sorted top = topk(x[0], a["k"], {.axis = a["axis"], .largest = a["largest"]});
         return Tensors{top.values, top.indices};
       },
       reference::ordered(false),
       {throws<ValueError>("topk: k 4, expected 0 to 3", [] { return topk(arange(3), 4).values; }),
        throws<ValueError>("topk: input is an undefined tensor", [] { return topk(Tensor(), 1).values; })}},
      {"whole_gather",
       [](const Tensors& x, const Attributes& a) { return gather(x[0], a["axis"], x[1]); },
       reference::gather,
       {throws<ValueError>("gather: index 3 is outside axis 0 of input [3]",
                           [] { return gather(arange(3), 0, indices({3})); }),
        throws<ValueError>("gather: input is an undefined tensor", [] { return gather(Tensor(), 0, indices({0})); })}},
  };
}

std::vector<OpTest> truth_ops() {
  return {
      truth("logical_and", logical_and, reference::logical_and),
      truth("logical_or", logical_or, reference::logical_or),
      truth("logical_xor", logical_xor, reference::logical_xor),
      {"logical_not",
       [](const Tensors& x, const Attributes&) { return logical_not(x[0]); },
       reference::logical_not,
       {throws<ShapeError>("logical_not: input [3] is f32, expected bool", [] { return logical_not(ones({3})); }),
        throws<ValueError>("logical_not: input is an undefined tensor", [] { return logical_not(Tensor()); })}},
      reduction("any", any, reference::any, Dtype::boolean),
      reduction("all", all, reference::all, Dtype::boolean),
      reduction("count_nonzero", count_nonzero, reference::count_nonzero, Dtype::f32),
      {"argmin",
       [](const Tensors& x, const Attributes& a) { return argmin(x[0], a["axis"]); },
       reference::place(true, false),
       {throws<ShapeError>("argmin: axis 1 of input [3], which has 1 axes", [] { return argmin(ones({3}), 1); }),
        throws<ValueError>("argmin: input [3, 0] has nothing to choose from along axis 1",
                           [] {
                             return argmin(ones({3, 0}), 1);
                           })}},
      {"last_arg",
       [](const Tensors& x, const Attributes& a) {
         const ArgOptions options{.select_last_index = true};
         return a["smallest"].get<bool>() ? argmin(x[0], a["axis"], options) : argmax(x[0], a["axis"], options);
       },
       reference::place(false, true),
       {throws<ShapeError>("argmax: axis 1 of input [3], which has 1 axes", [] { return argmax(ones({3}), 1); }),
        throws<ValueError>("argmin: input is an undefined tensor", [] { return argmin(Tensor()); })}},
      {"masked_fill",
       [](const Tensors& x, const Attributes& a) { return masked_fill(x[0], x[1], a["value"]); },
       reference::masked_fill,
       {throws<ShapeError>("masked_fill: shapes [2] and [3] do not broadcast",
                           [] { return masked_fill(ones({2}), zeros({3}, Dtype::boolean), 0); }),
        throws<ValueError>("masked_fill: value 0.5 beside i64, expected a whole number up to 2^53",
                           [] { return masked_fill(arange(3), zeros({3}, Dtype::boolean), 0.5); })}},
  };
}

/// A statistic with options of its own.
template <class Call>
OpTest statistic(const std::string& name, Call call, reference::Reference reference, std::vector<ErrorCase> errors) {
  errors.push_back(throws<ShapeError>(name + ": axis 2 of input [2, 3], which has 2 axes", [call] {
    return call(ones({2, 3}), Axes(2), Attributes{{"correction", 1}, {"p", 2.0}});
  }));
  return {name, [call](const Tensors& x, const Attributes& a) { return call(x[0], axes_of(a), a); },
          std::move(reference), std::move(errors)};
}

std::vector<OpTest> statistic_ops() {
  const auto keepdim = [](const Attributes& a) { return a.value("keepdim", false); };
  return {
      statistic("var",
                [=](const Tensor& x, const Axes& axes, const Attributes& a) {
                  return var(x, axes, {a["correction"], keepdim(a)});
                },
                reference::var,
                {throws<ValueError>("var: 1 numbers of input [1] with correction 1, expected more",
                                    [] { return var(ones({1})); })}),
      statistic("std",
                [=](const Tensor& x, const Axes& axes, const Attributes& a) {
                  return temper::std(x, axes, {a["correction"], keepdim(a)});
                },
                reference::deviation,
                {throws<ValueError>("std: 2 numbers of input [2, 3] with correction 5, expected more",
                                    [] {
                                      return temper::std(ones({2, 3}), 0, {.correction = 5});
                                    })}),
      statistic(
          "norm",
          [=](const Tensor& x, const Axes& axes, const Attributes& a) {
            return norm(x, a["p"].is_string() ? HUGE_VAL : a["p"].get<double>(), axes, {keepdim(a)});
          },
          reference::norm,
          {throws<ValueError>("norm: p 0.5, expected 1 to infinity", [] { return norm(ones({2}), 0.5); }),
           throws<ValueError>("norm: input [0] has nothing to choose from", [] { return norm(ones({0}), HUGE_VAL); })}),
      statistic(
          "logsumexp",
          [=](const Tensor& x, const Axes& axes, const Attributes& a) { return logsumexp(x, axes, {keepdim(a)}); },
          reference::logsumexp,
          {throws<ValueError>("logsumexp: input [0] has no numbers to sum", [] { return logsumexp(ones({0})); })}),
      statistic("prod",
                [=](const Tensor& x, const Axes& axes, const Attributes& a) { return prod(x, axes, {keepdim(a)}); },
                reference::prod,
                {throws<ShapeError>("prod: input [3] is i64, expected f32", [] { return prod(arange(3)); })}),
  };
}

constexpr float infinity = std::numeric_limits<float>::infinity();

}  // namespace

std::vector<OpTest> whole_ops() {
  std::vector<OpTest> all;
  for (auto* family : {integer_ops, bit_ops, truth_ops, statistic_ops}) {
    for (OpTest& test : family()) all.push_back(std::move(test));
  }
  return all;
}

TEST_CASE("whole numbers") { check(integer_ops()); }
TEST_CASE("bits, and order of whole numbers and truth values") { check(bit_ops()); }
TEST_CASE("truth values") { check(truth_ops()); }
TEST_CASE("statistics") { check(statistic_ops()); }

TEST_CASE("whole numbers wrap around, and are not divided by 0") {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                         most = std::numeric_limits<std::int64_t>::max();
  const Tensor x = indices({least, most}), minus_one = indices({-1});
  const auto is = [](const Tensor& y, std::initializer_list<std::int64_t> expected) {
    return std::ranges::equal(y.values<std::int64_t>(), expected);
  };
  CHECK(is(x + 1, {least + 1, least}));
  CHECK(is(-x, {least, -most}));
  CHECK(is(floor_divide(x, minus_one), {least, -most}));
  CHECK(is(remainder(x, minus_one), {0, 0}));
  CHECK(is(fmod(x, minus_one), {0, 0}));
  CHECK(is(clamp(x, -infinity, 5), {least, 5}));
  CHECK_THROWS_WITH_AS(remainder(x, indices({0})), "remainder: b [1] has a 0, by which no whole number can be divided",
                       ValueError);
  CHECK(remainder(arange(0), indices({0})).numel() == 0);
}

TEST_CASE("bits of the largest and the smallest whole number") {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                         most = std::numeric_limits<std::int64_t>::max();
  const Tensor x = indices({least, most, -1});
  const auto is = [](const Tensor& y, std::initializer_list<std::int64_t> expected) {
    return std::ranges::equal(y.values<std::int64_t>(), expected);
  };
  CHECK(is(bitwise_not(x), {most, least, 0}));
  CHECK(is(bitwise_right_shift(x, indices({63})), {-1, 0, -1}));
  CHECK(is(bitwise_left_shift(x, indices({1})), {0, -2, -2}));
  CHECK(is(argmax(x), {1}));
  CHECK(is(argmin(x), {0}));
}

TEST_CASE("a cast that no gradient can follow is refused while a tape records") {
  const Tensor x = ones({2});
  Tape tape;
  tape.watch(x);
  CHECK_THROWS_WITH_AS(to(x * 2, Dtype::i64),
                       "to: a gradient is to flow through input [2], which i64 cuts; say stop_gradient(input)",
                       TapeError);
  CHECK_THROWS_AS(to(x, Dtype::boolean), TapeError);
  CHECK(to(stop_gradient(x) * 2, Dtype::i64).data<std::int64_t>()[1] == 2);
}

TEST_CASE("what a number is") {
  const Tensor x = from({1, std::numeric_limits<float>::quiet_NaN(), -infinity}, {3});
  const auto is = [](const Tensor& y, std::initializer_list<bool> expected) {
    return std::ranges::equal(y.values<bool>(), expected);
  };
  CHECK(is(isnan(x), {false, true, false}));
  CHECK(is(isinf(to(x, Dtype::bf16)), {false, false, true}));
  CHECK(is(isfinite(x), {true, false, false}));
}

TEST_CASE("bools are compared; false is less than true, and a mean of them says how to take it") {
  const Tensor a = to(from({0, 0, 1, 1}, {4}), Dtype::boolean), b = to(from({0, 1, 0, 1}, {4}), Dtype::boolean);
  const auto is = [](const Tensor& y, std::initializer_list<bool> expected) {
    return std::ranges::equal(y.values<bool>(), expected);
  };
  CHECK(is(equal(a, b), {true, false, false, true}));
  CHECK(is(not_equal(a, b), {false, true, true, false}));
  CHECK(is(less(a, b), {false, true, false, false}));
  CHECK(is(greater_equal(a, b), {true, false, true, true}));
  CHECK(mean(to(equal(a, b), Dtype::f32)).item() == 0.5f);
  CHECK_THROWS_WITH_AS(mean(equal(a, b)),
                       "mean: input [4] is bool, expected f32 or bf16; to(x, Dtype::f32) gives 0 and 1", ShapeError);
}

TEST_CASE("statistics at the ends of the range, and where they have no slope") {
  const auto slope = [](const Tensor& x, auto statistic) {
    Tape tape;
    tape.watch(x);
    tape.backward(statistic(x));
    return tape.gradient(x);
  };
  const auto is = [](const Tensor& y, std::initializer_list<float> expected) {
    return std::ranges::equal(y.values<float>(), expected);
  };
  const auto deviation = [](const Tensor& x) { return temper::std(x); };
  CHECK(is(slope(full({3}, 2), deviation), {0, 0, 0}));
  CHECK(is(slope(from({-infinity, 3}, {2}), [](const Tensor& x) { return logsumexp(x); }), {0, 1}));
  CHECK(is(slope(full({2}, -infinity), [](const Tensor& x) { return logsumexp(x); }), {0, 0}));
  CHECK(logsumexp(full({2}, -infinity)).item() == -HUGE_VAL);
  CHECK(logsumexp(full({2}, infinity)).item() == HUGE_VAL);
  CHECK(std::isnan(norm(full({2}, std::numeric_limits<float>::quiet_NaN())).item()));
  CHECK(norm(from({1, infinity}, {2})).item() == HUGE_VAL);
}

}  // namespace temper::test
