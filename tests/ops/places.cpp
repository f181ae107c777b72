// Elements by their places, in order, summed up along the way, and in another arrangement.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include <temper/autograd/ops/arrange.hpp>
#include <temper/autograd/ops/index.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/scan.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/ops/sort.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/parallel.hpp>
#include <temper/core/random.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/places.hpp"

namespace temper::test {

namespace {

std::vector<OpTest> index_ops() {
  return {
      {"index_select",
       [](const Tensors& x, const Attributes& a) { return index_select(x[0], a["axis"], x[1]); },
       reference::index_select,
       {throws<ValueError>("index_select: index 2 at place 1 is outside axis 0 of input [2, 3]",
                           [] {
                             return index_select(ones({2, 3}), 0, indices({0, 2}));
                           }),
        throws<ShapeError>("index_select: index [1, 1], expected [m]",
                           [] {
                             return index_select(ones({2, 3}), 0, zeros({1, 1}, Dtype::i64));
                           })}},
      {"index_add",
       [](const Tensors& x, const Attributes& a) { return index_add(x[0], a["axis"], x[1], x[2]); },
       reference::index_add,
       {throws<ShapeError>("index_add: source [2, 3], input [2, 3] and index [1] expect [1, 3]",
                           [] {
                             return index_add(ones({2, 3}), 0, indices({0}), ones({2, 3}));
                           }),
        throws<ValueError>("index_add: index -1 at place 0 is outside axis 1 of input [2, 3]",
                           [] {
                             return index_add(ones({2, 3}), 1, indices({-1}), ones({2, 1}));
                           })}},
      {"scatter",
       [](const Tensors& x, const Attributes& a) { return scatter(x[0], a["axis"], x[1], x[2]); },
       reference::scattered<false>,
       {throws<ShapeError>("scatter: input [2, 3], index [1, 1] and source [1, 1], expected the same but for axis 0",
                           [] {
                             return scatter(ones({2, 3}), 0, zeros({1, 1}, Dtype::i64), ones({1, 1}));
                           }),
        throws<ShapeError>("scatter: source [3] is i64, expected f32",
                           [] {
                             return scatter(ones({3}), 0, indices({0, 1, 2}), arange(3));
                           })}},
      {"scatter_add",
       [](const Tensors& x, const Attributes& a) { return scatter_add(x[0], a["axis"], x[1], x[2]); },
       reference::scattered<true>,
       {throws<ValueError>("scatter_add: index 3 at place 1 is outside axis 0 of input [3]",
                           [] {
                             return scatter_add(ones({3}), 0, indices({0, 3}), ones({2}));
                           }),
        throws<ShapeError>("scatter_add: input [3] is bool, expected a number",
                           [] {
                             const Tensor truths = zeros({3}, Dtype::boolean);
                             return scatter_add(truths, 0, indices({0, 1, 2}), truths);
                           })}},
      {"nonzero",
       [](const Tensors& x, const Attributes&) { return nonzero(x[0]); },
       reference::nonzero,
       {throws<ValueError>("nonzero: input is an undefined tensor", [] { return nonzero(Tensor()); }),
        throws<ShapeError>("axis", [] { return nonzero(ones({2})).size(2); })}},
      {"masked_select",
       [](const Tensors& x, const Attributes&) { return masked_select(x[0], x[1]); },
       reference::masked_select,
       {throws<ShapeError>("masked_select: input [3] and mask [2], expected the same shape",
                           [] { return masked_select(ones({3}), zeros({2}, Dtype::boolean)); }),
        throws<ShapeError>("masked_select: mask [3] is f32, expected bool",
                           [] { return masked_select(ones({3}), ones({3})); })}},
  };
}

Tensors both(const Sorted& sorted) { return {sorted.values, sorted.indices}; }

std::vector<OpTest> order_ops() {
  return {
      {"sort",
       [](const Tensors& x, const Attributes& a) { return both(sort(x[0], a["axis"], a["descending"])); },
       reference::ordered(false),
       {throws<ShapeError>("sort: axis 1 of input [3], which has 1 axes", [] { return sort(ones({3}), 1).values; }),
        throws<ValueError>("sort: input is an undefined tensor", [] { return sort(Tensor()).values; })}},
      {"argsort",
       [](const Tensors& x, const Attributes& a) { return argsort(x[0], a["axis"], a["descending"]); },
       reference::ordered(true),
       {throws<ShapeError>("argsort: axis -2 of input [3], which has 1 axes", [] { return argsort(ones({3}), -2); }),
        throws<ValueError>("argsort: input is an undefined tensor", [] { return argsort(Tensor()); })}},
      {"topk",
       [](const Tensors& x, const Attributes& a) {
         return both(topk(x[0], a["k"], {.axis = a["axis"], .largest = a["largest"]}));
       },
       reference::ordered(false),
       {throws<ValueError>("topk: k 4, expected 0 to 3, the size of axis -1 of input [2, 3]",
                           [] {
                             return topk(ones({2, 3}), 4).values;
                           }),
        throws<ShapeError>("topk: axis 2 of input [2, 3], which has 2 axes",
                           [] {
                             return topk(ones({2, 3}), 1, {.axis = 2}).values;
                           })}},
      {"cumsum",
       [](const Tensors& x, const Attributes& a) {
         return cumsum(x[0], a["axis"], {a.value("reverse", false), a.value("exclusive", false)});
       },
       reference::cumsum,
       {throws<ShapeError>("cumsum: axis 0 of input [], which has 0 axes", [] { return cumsum(scalar(1), 0); }),
        throws<ShapeError>("cumsum: input [3] is bool, expected f32, bf16 or i64",
                           [] { return cumsum(zeros({3}, Dtype::boolean), 0); })}},
      {"cumprod",
       [](const Tensors& x, const Attributes& a) { return cumprod(x[0], a["axis"]); },
       reference::cumprod,
       {throws<ShapeError>("cumprod: axis 1 of input [3], which has 1 axes", [] { return cumprod(ones({3}), 1); }),
        throws<ShapeError>("cumprod: input [3] is i64, expected f32", [] { return cumprod(arange(3), 0); })}},
      {"logcumsumexp",
       [](const Tensors& x, const Attributes& a) { return logcumsumexp(x[0], a["axis"]); },
       reference::logcumsumexp,
       {throws<ShapeError>("logcumsumexp: axis 1 of input [3], which has 1 axes",
                           [] { return logcumsumexp(ones({3}), 1); }),
        throws<ShapeError>("logcumsumexp: input [3] is i64, expected f32", [] { return logcumsumexp(arange(3), 0); })}},
  };
}

std::vector<OpTest> arrange_ops() {
  return {
      {"squeeze",
       [](const Tensors& x, const Attributes&) { return squeeze(x[0]); },
       reference::squeeze,
       {throws<ShapeError>("squeeze: axis 1 of input [1, 3] has size 3, expected 1",
                           [] {
                             return squeeze(ones({1, 3}), 1);
                           }),
        throws<ValueError>("squeeze: input is an undefined tensor", [] { return squeeze(Tensor()); })}},
      {"unsqueeze",
       [](const Tensors& x, const Attributes& a) { return unsqueeze(x[0], a["axis"]); },
       reference::unsqueeze,
       {throws<ShapeError>("unsqueeze: new axis 3 for input [1, 3], which has 2 axes",
                           [] {
                             return unsqueeze(ones({1, 3}), 3);
                           }),
        throws<ValueError>("unsqueeze: input is an undefined tensor", [] { return unsqueeze(Tensor(), 0); })}},
      {"strided_slice",
       [](const Tensors& x, const Attributes& a) {
         return slice(x[0], a["axis"], a["begin"], a["end"], a["step"].get<std::int64_t>());
       },
       reference::strided_slice,
       {throws<ValueError>("slice: step 0, expected at least 1", [] { return slice(ones({3}), 0, 0, 3, 0); }),
        throws<ShapeError>("slice: axis 1 of input [3], which has 1 axes",
                           [] { return slice(ones({3}), 1, 0, 3, 2); })}},
      {"flip",
       [](const Tensors& x, const Attributes& a) {
         const std::vector<int> axes = a["axes"];
         return flip(x[0], Axes(std::span<const int>(axes)));
       },
       reference::flip,
       {throws<ShapeError>("flip: axis 2 of input [2, 3], which has 2 axes",
                           [] {
                             return flip(ones({2, 3}), 2);
                           }),
        throws<ShapeError>("flip: axis -1 of input [2, 3] is given twice",
                           [] {
                             return flip(ones({2, 3}), {1, -1});
                           })}},
      {"roll",
       [](const Tensors& x, const Attributes& a) { return roll(x[0], a["shift"].get<std::int64_t>(), a["axis"]); },
       reference::roll,
       {throws<ShapeError>("roll: axis 2 of input [2, 3], which has 2 axes",
                           [] {
                             return roll(ones({2, 3}), 1, 2);
                           }),
        throws<ValueError>("roll: input is an undefined tensor", [] { return roll(Tensor(), 1, 0); })}},
      {"tile",
       [](const Tensors& x, const Attributes& a) {
         const std::vector<std::int64_t> repeats = a["repeats"];
         return tile(x[0], std::span<const std::int64_t>(repeats));
       },
       reference::tile,
       {throws<ShapeError>("tile: 1 repeats for input [2, 3], which has 2 axes",
                           [] {
                             return tile(ones({2, 3}), {2});
                           }),
        throws<ValueError>("tile: -1 repeats, expected at least 0",
                           [] {
                             return tile(ones({2, 3}), {1, -1});
                           })}},
      {"repeat_interleave",
       [](const Tensors& x, const Attributes& a) {
         return repeat_interleave(x[0], a["repeats"].get<std::int64_t>(), a["axis"]);
       },
       reference::repeat_interleave,
       {throws<ShapeError>("repeat_interleave: axis 1 of input [3], which has 1 axes",
                           [] { return repeat_interleave(ones({3}), 2, 1); }),
        throws<ValueError>("repeat_interleave: -1 repeats, expected at least 0",
                           [] { return repeat_interleave(ones({3}), -1, 0); })}},
      {"tril",
       [](const Tensors& x, const Attributes& a) { return tril(x[0], a["diagonal"].get<std::int64_t>()); },
       reference::triangle(true),
       {throws<ShapeError>("tril: input [3], expected [..., rows, columns]", [] { return tril(ones({3})); }),
        throws<ValueError>("tril: input is an undefined tensor", [] { return tril(Tensor()); })}},
      {"triu",
       [](const Tensors& x, const Attributes& a) { return triu(x[0], a["diagonal"].get<std::int64_t>()); },
       reference::triangle(false),
       {throws<ShapeError>("triu: input [3], expected [..., rows, columns]", [] { return triu(ones({3})); }),
        throws<ValueError>("triu: input is an undefined tensor", [] { return triu(Tensor()); })}},
      {"diagonal",
       [](const Tensors& x, const Attributes& a) { return diagonal(x[0], a["offset"].get<std::int64_t>()); },
       reference::diagonal,
       {throws<ShapeError>("diagonal: input [3], expected [..., rows, columns]", [] { return diagonal(ones({3})); }),
        throws<ValueError>("diagonal: input is an undefined tensor", [] { return diagonal(Tensor()); })}},
      {"one_hot",
       [](const Tensors& x, const Attributes& a) { return one_hot(x[0], a["classes"].get<std::int64_t>()); },
       reference::one_hot,
       {throws<ValueError>("one_hot: label 3 is outside the 3 classes",
                           [] {
                             return one_hot(indices({0, 3}), 3);
                           }),
        throws<ShapeError>("one_hot: labels [3] is f32, expected i64", [] { return one_hot(ones({3}), 3); })}},
  };
}

constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();

std::vector<std::int64_t> numbers(const Tensor& x) {
  const auto values = x.values<std::int64_t>();
  return {values.begin(), values.end()};
}

bool same_bits(const Tensor& a, const Tensor& b) { return std::ranges::equal(a.values<float>(), b.values<float>()); }

}  // namespace

std::vector<OpTest> place_ops() {
  std::vector<OpTest> all;
  for (auto* family : {index_ops, order_ops, arrange_ops}) {
    for (OpTest& test : family()) all.push_back(std::move(test));
  }
  return all;
}

TEST_CASE("elements by their places") { check(index_ops()); }
TEST_CASE("order, and running results") { check(order_ops()); }
TEST_CASE("elements in another arrangement") { check(arrange_ops()); }

TEST_CASE("NaN counts as the largest number, and infinities as what they are") {
  const Tensor x = from({1, nan, -infinity, infinity, nan, -0.0f, 0}, {7});
  CHECK(numbers(argsort(x)) == std::vector<std::int64_t>{2, 5, 6, 0, 3, 1, 4});
  CHECK(numbers(argsort(x, 0, true)) == std::vector<std::int64_t>{1, 4, 3, 0, 5, 6, 2});
  CHECK(numbers(topk(x, 3).indices) == std::vector<std::int64_t>{1, 4, 3});
  CHECK(std::isnan(topk(x, 1).values.item()));
}

TEST_CASE("whole numbers are sorted over their whole range") {
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min(),
                         most = std::numeric_limits<std::int64_t>::max();
  std::vector<std::int64_t> values{0, most, -1, least, 1, 1'000'000'007, -4'000'000'000};
  for (std::int64_t i = 0; i < 600; ++i) values.push_back(i * 7919 % 601 - 300 + i % 3 * 5'000'000'000);
  const auto count = static_cast<std::int64_t>(values.size());
  const Sorted sorted = sort(from(std::span<const std::int64_t>(values), {count}));
  std::vector<std::int64_t> expected = values;
  std::ranges::sort(expected);
  CHECK(numbers(sorted.values) == expected);
  for (std::int64_t i = 0; i < count; ++i) {
    CHECK(values[static_cast<std::size_t>(numbers(sorted.indices)[static_cast<std::size_t>(i)])] ==
          expected[static_cast<std::size_t>(i)]);
  }
}

TEST_CASE("of several elements for one place the last stays, and has the gradient") {
  const Tensor x = ones({3}), source = from({10, 20, 30, 40}, {4});
  Tape tape;
  tape.watch(x);
  tape.watch(source);
  const Tensor y = scatter(x, 0, indices({2, 0, 2, 0}), source);
  CHECK(std::ranges::equal(y.values<float>(), std::vector<float>{40, 1, 30}));
  tape.backward(sum(y));
  CHECK(std::ranges::equal(tape.gradient(x).values<float>(), std::vector<float>{0, 1, 0}));
  CHECK(std::ranges::equal(tape.gradient(source).values<float>(), std::vector<float>{0, 0, 1, 1}));
}

TEST_CASE("indices and running sums: the same bits for 1 to 3 threads") {
  manual_seed(3);
  struct Shapes {
    Shape x;
    int axis;
  };
  for (const Shapes& sizes :
       {Shapes{{5000, 9}, 0}, Shapes{{70000}, 0}, Shapes{{3, 400, 200}, 1}, Shapes{{40000, 3}, 0}}) {
    const Shape& shape = sizes.x;  // no structured binding: Clang 14 lets no lambda capture one
    const int axis = sizes.axis;
    CAPTURE(to_string(shape));
    const Tensor x = normal(shape), source = normal(shape.resized(axis, 2 * shape[axis]));
    Tensor index = empty({source.size(axis)}, Dtype::i64), places = empty(source.shape(), Dtype::i64);
    for (Tensor* each : {&index, &places}) {
      std::int64_t* const to = each->mutable_data<std::int64_t>();
      for (std::int64_t i = 0; i < each->numel(); ++i) to[i] = i * i * 31 % shape[axis] % (1 + i % 97);
    }
    std::vector<Tensors> results;
    for (const int count : {1, 2, 3}) {
      set_threads(count);
      results.push_back({index_add(x, axis, index, source), scatter_add(x, axis, places, source),
                         scatter(x, axis, places, source), cumsum(x, axis), sort(x, axis).values});
    }
    set_threads(1);
    for (const Tensors& result : results) {
      for (std::size_t i = 0; i < result.size(); ++i) CHECK(same_bits(result[i], results[0][i]));
    }
  }
}

TEST_CASE("long running sums keep their digits") {
  const std::int64_t count = 1'000'000;
  const Tensor y = cumsum(full({count}, 0.1f), 0);
  CHECK(std::abs(static_cast<double>(y.data<float>()[count - 1]) / (0.1f * 1e6) - 1.0) < 1e-7);
  const Tensor columns = cumsum(full({count, 3}, 0.1f), 0, {.reverse = true});
  CHECK(std::abs(static_cast<double>(columns.data<float>()[1]) / (0.1f * 1e6) - 1.0) < 1e-7);
}

TEST_CASE("running logarithms of sums from -infinity on") {
  const Tensor x = from({-infinity, -infinity, 2, -infinity}, {4});
  Tape tape;
  tape.watch(x);
  const Tensor y = logcumsumexp(x, 0);
  CHECK(std::ranges::equal(y.values<float>(), std::vector<float>{-infinity, -infinity, 2, 2}));
  tape.backward(sum(slice(y, 0, 2, 4)));
  CHECK(std::ranges::equal(tape.gradient(x).values<float>(), std::vector<float>{0, 0, 2, 0}));
}

TEST_CASE("new tensors of numbers at equal distances") {
  CHECK(numbers(arange(2, 9, 3)) == std::vector<std::int64_t>{2, 5, 8});
  CHECK(numbers(arange(3, 0, -1)) == std::vector<std::int64_t>{3, 2, 1});
  CHECK(arange(3, 3).numel() == 0);
  CHECK(arange(5, 3, 1).numel() == 0);
  CHECK(std::ranges::equal(linspace(0, 1, 5).values<float>(), std::vector<float>{0, 0.25f, 0.5f, 0.75f, 1}));
  CHECK(linspace(0.1, 0.7, 7).data<float>()[6] == 0.7f);
  CHECK(linspace(3, 4, 1).item() == 3.0);
  CHECK(std::ranges::equal(eye(2, 3).values<float>(), std::vector<float>{1, 0, 0, 0, 1, 0}));
  CHECK_THROWS_WITH_AS(arange(0, 3, 0), "arange: step 0, expected another number", ValueError);
  CHECK_THROWS_WITH_AS(linspace(0, 1, -1), "linspace: -1 numbers, expected at least 0", ValueError);
}

}  // namespace temper::test
