#include <temper/autograd/ops/shape.hpp>

#include <doctest/doctest.h>

#include <temper/autograd/ops/embedding.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/shape.hpp"

namespace temper::test {

namespace {

Shape shape_in(const Attributes& a) {
  const auto sizes = a["shape"].get<std::vector<std::int64_t>>();
  return Shape(std::span<const std::int64_t>(sizes));
}

}  // namespace

std::vector<OpTest> shape_ops() {
  return {
      {"reshape",
       [](const Tensors& x, const Attributes& a) { return reshape(x[0], shape_in(a)); },
       reference::reshape,
       {throws<ShapeError>("reshape: input [2, 3] has 6 elements, shape [4] has 4",
                           [] {
                             return reshape(ones({2, 3}), Shape{4});
                           }),
        throws<ShapeError>("reshape: the 6 elements of input [2, 3] do not fit [4, -1]",
                           [] {
                             return reshape(ones({2, 3}), {4, -1});
                           })}},
      {"flatten",
       [](const Tensors& x, const Attributes& a) { return flatten(x[0], a["from_axis"]); },
       reference::flatten,
       {throws<ShapeError>("flatten: axis 2 of input [2, 3], which has 2 axes",
                           [] {
                             return flatten(ones({2, 3}), 2);
                           }),
        throws<ValueError>("undefined tensor", [] { return flatten(Tensor()); })}},
      {"permute",
       [](const Tensors& x, const Attributes& a) {
         const std::vector<int> axes = a["axes"];
         return permute(x[0], Axes(std::span<const int>(axes)));
       },
       reference::permute,
       {throws<ShapeError>("permute: 1 axes for input [2, 3], which has 2",
                           [] {
                             return permute(ones({2, 3}), 0);
                           }),
        throws<ShapeError>("permute: axis -2 of input [2, 3] is given twice",
                           [] {
                             return permute(ones({2, 3}), {0, -2});
                           })}},
      {"transpose",
       [](const Tensors& x, const Attributes& a) { return transpose(x[0], a["a"], a["b"]); },
       reference::transpose,
       {throws<ShapeError>("transpose: axis 2 of input [2, 3], which has 2 axes",
                           [] {
                             return transpose(ones({2, 3}), 0, 2);
                           }),
        throws<ShapeError>("transpose: axis -3 of input [2, 3], which has 2 axes",
                           [] {
                             return transpose(ones({2, 3}), -3, 1);
                           })}},
      {"slice",
       [](const Tensors& x, const Attributes& a) { return slice(x[0], a["axis"], a["begin"], a["end"]); },
       reference::slice,
       {throws<ShapeError>("slice: 1 to 4 of axis 1 of input [2, 3]",
                           [] {
                             return slice(ones({2, 3}), 1, 1, 4);
                           }),
        throws<ShapeError>("slice: 2 to 1 of axis 1 of input [2, 3]",
                           [] {
                             return slice(ones({2, 3}), 1, 2, 1);
                           }),
        throws<ShapeError>("slice: axis 2 of input [2, 3], which has 2 axes",
                           [] {
                             return slice(ones({2, 3}), 2, 0, 1);
                           })}},
      {"concat",
       [](const Tensors& x, const Attributes& a) { return temper::concat(std::span<const Tensor>(x), a["axis"]); },
       reference::concat,
       {throws<ShapeError>("concat: f32 [2, 4] after f32 [2, 3], expected the same but for axis 0",
                           [] {
                             return concat({ones({2, 3}), ones({2, 4})}, 0);
                           }),
        throws<ShapeError>("concat: i64 [2, 3] after f32 [2, 3]",
                           [] {
                             return concat({ones({2, 3}), zeros({2, 3}, Dtype::i64)}, 0);
                           }),
        throws<ValueError>("concat: no tensors", [] { return concat(std::span<const Tensor>(), 0); })}},
      {"stack",
       [](const Tensors& x, const Attributes& a) { return stack(std::span<const Tensor>(x), a["axis"]); },
       reference::stack,
       {throws<ShapeError>("stack: f32 [2, 4] after f32 [2, 3], expected the same",
                           [] {
                             return stack({ones({2, 3}), ones({2, 4})});
                           }),
        throws<ShapeError>("stack: new axis 3 for tensors [2, 3], which have 2 axes",
                           [] {
                             return stack({ones({2, 3}), ones({2, 3})}, 3);
                           })}},
      {"split",
       [](const Tensors& x, const Attributes& a) { return split(x[0], a["size"], a["axis"]); },
       reference::split,
       {throws<ValueError>("split: parts of size 0, expected at least 1", [] { return split(ones({4}), 0); }),
        throws<ShapeError>("split: axis 1 of input [4], which has 1 axes", [] { return split(ones({4}), 2, 1); })}},
      {"expand",
       [](const Tensors& x, const Attributes& a) { return expand(x[0], shape_in(a)); },
       reference::expand,
       {throws<ShapeError>("expand: shapes [2, 3] and [4, 3] do not broadcast: axis -2 has sizes 2 and 4",
                           [] {
                             return expand(ones({2, 3}), {4, 3});
                           }),
        throws<ShapeError>("expand: input [2, 3] does not broadcast to [3]",
                           [] {
                             return expand(ones({2, 3}), {3});
                           })}},
      {"pad",
       [](const Tensors& x, const Attributes& a) {
         std::vector<Padding> padding;
         for (std::size_t axis = 0; axis < a["before"].size(); ++axis) {
           padding.push_back({.before = a["before"][axis], .after = a["after"][axis]});
         }
         return pad(x[0], std::span<const Padding>(padding), a["value"]);
       },
       reference::pad,
       {throws<ShapeError>("pad: 1 paddings for input [2, 3], which has 2 axes",
                           [] {
                             return pad(ones({2, 3}), {Padding{1, 1}});
                           }),
        throws<ValueError>("pad: negative padding -1, 0",
                           [] {
                             return pad(ones({3}), {Padding{-1, 0}});
                           })}},
      {"gather",
       [](const Tensors& x, const Attributes& a) { return gather(x[0], a["axis"], x[1]); },
       reference::gather,
       {throws<ValueError>("gather: index 3 is outside axis 0 of input [3]",
                           [] {
                             return gather(ones({3}), 0, indices({0, 3}));
                           }),
        throws<ValueError>("gather: index -1 is outside axis 0 of input [3]",
                           [] { return gather(ones({3}), 0, indices({-1})); }),
        throws<ShapeError>("gather: input [2, 3] and index [3, 1], expected the same but for axis 1",
                           [] {
                             return gather(ones({2, 3}), 1, zeros({3, 1}, Dtype::i64));
                           }),
        throws<ShapeError>("gather: index [3] is f32, expected i64", [] { return gather(ones({3}), 0, ones({3})); })}},
      {"embedding",
       [](const Tensors& x, const Attributes&) { return embedding(x[1], x[0]); },
       reference::embedding,
       {throws<ValueError>("embedding: id 5 at place 1 is outside the 5 rows of weight [5, 2]",
                           [] {
                             return embedding(indices({0, 5}), ones({5, 2}));
                           }),
        throws<ValueError>("embedding: id -1 at place 0 is outside the 5 rows of weight [5, 2]",
                           [] {
                             return embedding(indices({-1}), ones({5, 2}));
                           }),
        throws<ShapeError>("embedding: weight [5], expected [rows, width]",
                           [] { return embedding(indices({0}), ones({5})); }),
        throws<ShapeError>("embedding: ids [2] is f32, expected i64",
                           [] {
                             return embedding(ones({2}), ones({5, 2}));
                           })}},
  };
}

TEST_CASE("shapes") { check(shape_ops()); }

}  // namespace temper::test
