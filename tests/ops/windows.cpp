// Images taken apart and put together, and more ways to pad and to pool.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include <temper/autograd/ops/conv.hpp>
#include <temper/autograd/ops/pool.hpp>
#include <temper/autograd/ops/unfold.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/windows.hpp"

namespace temper::test {

namespace {

Pair2 pair(const Attributes& a, const char* name, std::int64_t otherwise) {
  const auto [h, w] = reference::pair_of(a.value(name, Attributes(otherwise)));
  return {h, w};
}

Padding2 sides(const Attributes& a) {
  const auto& ends = a["sides"];
  return {Padding{ends[0], ends[1]}, Padding{ends[2], ends[3]}};
}

UnfoldOptions unfold_options(const Attributes& a) {
  return {pair(a, "kernel", 1), pair(a, "dilation", 1), pair(a, "padding", 0), pair(a, "stride", 1)};
}

}  // namespace

std::vector<OpTest> window_ops() {
  return {
      {"unfold",
       [](const Tensors& x, const Attributes& a) { return unfold(x[0], unfold_options(a)); },
       reference::unfold,
       {throws<ShapeError>("unfold: kernel 3 x 3 does not fit into images [1, 2, 2, 1]",
                           [] {
                             return unfold(ones({1, 2, 2, 1}), {.kernel = 3});
                           }),
        throws<ValueError>("unfold: stride 0 x 0, expected at least 1",
                           [] {
                             return unfold(ones({1, 2, 2, 1}), {.kernel = 1, .stride = 0});
                           })}},
      {"fold",
       [](const Tensors& x, const Attributes& a) { return fold(x[0], pair(a, "output", 1), unfold_options(a)); },
       reference::fold,
       {throws<ShapeError>("fold: input [1, 3, 4] has 3 windows, an image of 2 x 2 has 1 x 1",
                           [] {
                             return fold(ones({1, 3, 4}), 2, {.kernel = 2});
                           }),
        throws<ShapeError>("fold: input [1, 1, 5], expected [N, windows, C * 2 * 2]",
                           [] {
                             return fold(ones({1, 1, 5}), 2, {.kernel = 2});
                           })}},
      {"max_pool_options",
       [](const Tensors& x, const Attributes& a) {
         return max_pool2d(x[0], {.kernel = pair(a, "kernel", 1),
                                  .stride = pair(a, "stride", 1),
                                  .padding = pair(a, "padding", 0),
                                  .ceil_mode = a["ceil_mode"],
                                  .dilation = pair(a, "dilation", 1)});
       },
       reference::max_pool_options,
       {throws<ShapeError>("max_pool2d: kernel 2 x 2, dilated to 4 x 4, does not fit into input [1, 3, 3, 1]",
                           [] {
                             return max_pool2d(ones({1, 3, 3, 1}), {.kernel = 2, .dilation = 3});
                           }),
        throws<ValueError>("max_pool2d: dilation 0 x 0, expected at least 1",
                           [] {
                             return max_pool2d(ones({1, 3, 3, 1}), {.kernel = 2, .dilation = 0});
                           })}},
      {"avg_pool_options",
       [](const Tensors& x, const Attributes& a) {
         return avg_pool2d(x[0], {.kernel = pair(a, "kernel", 1),
                                  .stride = pair(a, "stride", 1),
                                  .padding = pair(a, "padding", 0),
                                  .count_include_pad = a["counted"],
                                  .ceil_mode = true});
       },
       reference::avg_pool_options,
       {throws<ValueError>("avg_pool2d: padding 1 x 1, expected at most half of the kernel 1 x 1",
                           [] {
                             return avg_pool2d(ones({1, 3, 3, 1}), {.kernel = 1, .padding = 1, .ceil_mode = true});
                           }),
        throws<ShapeError>("avg_pool2d: kernel 4 x 4 does not fit into input [1, 3, 3, 1]",
                           [] {
                             return avg_pool2d(ones({1, 3, 3, 1}), {.kernel = 4, .ceil_mode = true});
                           })}},
      {"max_pool_sides",
       [](const Tensors& x, const Attributes& a) {
         return max_pool2d(x[0], {.kernel = pair(a, "kernel", 1), .stride = pair(a, "stride", 1), .padding = sides(a)});
       },
       reference::max_pool_sides,
       {throws<ValueError>("max_pool2d: padding 0 x 2, expected at most half of the kernel 3 x 3",
                           [] {
                             return max_pool2d(ones({1, 3, 3, 1}), {.kernel = 3, .padding = {{0, 0}, {0, 2}}});
                           }),
        throws<ValueError>("max_pool2d: padding -1 x 0, expected at least 0",
                           [] {
                             return max_pool2d(ones({1, 3, 3, 1}), {.kernel = 3, .padding = {{-1, 0}, {0, 0}}});
                           })}},
      {"avg_pool_sides",
       [](const Tensors& x, const Attributes& a) {
         return avg_pool2d(x[0], {.kernel = pair(a, "kernel", 1),
                                  .stride = pair(a, "stride", 1),
                                  .padding = sides(a),
                                  .count_include_pad = a["counted"]});
       },
       reference::avg_pool_sides,
       {throws<ShapeError>("avg_pool2d: kernel 5 x 5 does not fit into input [1, 3, 3, 1], 3 x 4 with its padding",
                           [] {
                             return avg_pool2d(ones({1, 3, 3, 1}), {.kernel = 5, .padding = {{0, 0}, {0, 1}}});
                           }),
        throws<ValueError>("avg_pool2d: padding 2 x 0, expected at most half of the kernel 3 x 3",
                           [] {
                             return avg_pool2d(ones({1, 3, 3, 1}), {.kernel = 3, .padding = {{2, 0}, {0, 0}}});
                           })}},
      {"conv2d_padding",
       [](const Tensors& x, const Attributes& a) {
         const auto& ends = a["padding"];
         return conv2d(
             x[0], x[1], x[2],
             {.stride = pair(a, "stride", 1), .padding = {Padding{ends[0], ends[1]}, Padding{ends[2], ends[3]}}});
       },
       reference::conv2d_padding,
       {throws<ValueError>("conv2d: padding 0 x -1, expected at least 0",
                           [] {
                             return conv2d(ones({1, 3, 3, 1}), ones({1, 1, 1, 1}), {}, {.padding = {{0, 0}, {0, -1}}});
                           }),
        throws<ShapeError>("conv2d: kernel 5 x 1 does not fit into input [1, 3, 3, 1], 4 x 3 with its padding",
                           [] {
                             return conv2d(ones({1, 3, 3, 1}), ones({1, 1, 5, 1}), {}, {.padding = {{0, 1}, {0, 0}}});
                           })}},
  };
}

TEST_CASE("windows of images, and more ways to pad and to pool") { check(window_ops()); }

TEST_CASE("dilated pooling: NaN comes through, padding is never the largest") {
  const Tensor x = from({NAN, -3, -2, -5, -4, -1, -7, -6, -8}, {1, 3, 3, 1});
  const Tensor y = max_pool2d(x, {.kernel = 2, .stride = 1, .dilation = 2});
  CHECK(std::isnan(y.item()));
  // Along one row only: all elements of a window in the padding.
  const Tensor row =
      max_pool2d(full({1, 1, 2, 1}, -1.0f), {.kernel = 2, .stride = 1, .padding = 1, .dilation = {2, 1}});
  CHECK(row.shape() == Shape{1, 1, 3, 1});
  CHECK(row.data<float>()[0] == -HUGE_VALF);
}

}  // namespace temper::test
