#include <doctest/doctest.h>

#include <temper/autograd/ops/conv.hpp>
#include <temper/autograd/ops/pool.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/image.hpp"

namespace temper::test {

namespace {

Pair2 pair(const Attributes& a, const char* name, std::int64_t otherwise) {
  const auto [h, w] = reference::pair_of(a.value(name, Attributes(otherwise)));
  return {h, w};
}

}  // namespace

std::vector<OpTest> image_ops() {
  return {
      {"conv2d",
       [](const Tensors& x, const Attributes& a) {
         return conv2d(x[0], x[1], x.size() > 2 ? x[2] : Tensor(),
                       {.stride = pair(a, "stride", 1),
                        .padding = pair(a, "padding", 0),
                        .dilation = pair(a, "dilation", 1),
                        .groups = a.value("groups", 1)});
       },
       reference::conv2d,
       {throws<ShapeError>("conv2d: input [1, 8, 8, 3] has 3 channels, weight [4, 1, 3, 3] expects 1",
                           [] {
                             return conv2d(ones({1, 8, 8, 3}), ones({4, 1, 3, 3}));
                           }),
        throws<ShapeError>("conv2d: input f32 [8, 8, 3], expected f32 or bf16 [N, H, W, C]",
                           [] {
                             return conv2d(ones({8, 8, 3}), ones({4, 3, 3, 3}));
                           }),
        throws<ShapeError>("conv2d: bias f32 [3], weight [4, 3, 3, 3] expects f32 [4]",
                           [] {
                             return conv2d(ones({1, 8, 8, 3}), ones({4, 3, 3, 3}), ones({3}));
                           }),
        throws<ShapeError>("conv2d: kernel 3 x 3 does not fit into input [1, 2, 8, 3], 2 x 8 with its padding",
                           [] {
                             return conv2d(ones({1, 2, 8, 3}), ones({4, 3, 3, 3}));
                           }),
        throws<ValueError>("conv2d: stride 0 x 0, expected at least 1",
                           [] {
                             return conv2d(ones({1, 8, 8, 3}), ones({4, 3, 3, 3}), {}, {.stride = 0});
                           })}},
      {"max_pool2d",
       [](const Tensors& x, const Attributes& a) {
         return max_pool2d(
             x[0], {.kernel = pair(a, "kernel", 0), .stride = pair(a, "stride", 0), .padding = pair(a, "padding", 0)});
       },
       reference::max_pool2d,
       {throws<ShapeError>("max_pool2d: kernel 3 x 3 does not fit into input [1, 2, 2, 1], 2 x 2 with its padding",
                           [] {
                             return max_pool2d(ones({1, 2, 2, 1}), {.kernel = 3});
                           }),
        throws<ValueError>("max_pool2d: padding 2 x 2, expected at most half of the kernel 3 x 3",
                           [] {
                             return max_pool2d(ones({1, 8, 8, 1}), {.kernel = 3, .padding = 2});
                           }),
        throws<ShapeError>("max_pool2d: input f32 [8, 8, 1], expected f32 or bf16 [N, H, W, C]",
                           [] {
                             return max_pool2d(ones({8, 8, 1}), {.kernel = 2});
                           })}},
      {"avg_pool2d",
       [](const Tensors& x, const Attributes& a) {
         return avg_pool2d(x[0], {.kernel = pair(a, "kernel", 0),
                                  .stride = pair(a, "stride", 0),
                                  .padding = pair(a, "padding", 0),
                                  .count_include_pad = a.value("count_include_pad", true)});
       },
       reference::avg_pool2d,
       {throws<ShapeError>("avg_pool2d: kernel 3 x 3 does not fit into input [1, 2, 2, 1], 2 x 2 with its padding",
                           [] {
                             return avg_pool2d(ones({1, 2, 2, 1}), {.kernel = 3});
                           }),
        throws<ValueError>("avg_pool2d: kernel 0 x 0, expected at least 1",
                           [] {
                             return avg_pool2d(ones({1, 8, 8, 1}), {.kernel = 0});
                           })}},
      {"adaptive_avg_pool2d",
       [](const Tensors& x, const Attributes& a) { return adaptive_avg_pool2d(x[0], pair(a, "output", 1)); },
       reference::adaptive_avg_pool2d,
       {throws<ShapeError>("adaptive_avg_pool2d: input f32 [8, 8], expected f32 or bf16 [N, H, W, C]",
                           [] {
                             return adaptive_avg_pool2d(ones({8, 8}), 2);
                           }),
        throws<ValueError>("adaptive_avg_pool2d: output 0 x 0, expected at least 1",
                           [] {
                             return adaptive_avg_pool2d(ones({1, 8, 8, 1}), 0);
                           })}},
      {"global_avg_pool2d",
       [](const Tensors& x, const Attributes&) { return global_avg_pool2d(x[0]); },
       reference::global_avg_pool2d,
       {throws<ShapeError>("global_avg_pool2d: input f32 [8, 8], expected f32 or bf16 [N, H, W, C]",
                           [] {
                             return global_avg_pool2d(ones({8, 8}));
                           }),
        throws<ShapeError>("global_avg_pool2d: input [1, 0, 8, 1] has empty images",
                           [] {
                             return global_avg_pool2d(ones({1, 0, 8, 1}));
                           })}},
      {"flatten_chw",
       [](const Tensors& x, const Attributes&) { return flatten_chw(x[0]); },
       reference::flatten_chw,
       {throws<ShapeError>("flatten_chw: input [2, 3], expected images [N, H, W, C]",
                           [] {
                             return flatten_chw(ones({2, 3}));
                           }),
        throws<ShapeError>("flatten_chw: input [2, 3, 3, 1] is i64, expected f32",
                           [] {
                             return flatten_chw(zeros({2, 3, 3, 1}, Dtype::i64));
                           })}},
  };
}

TEST_CASE("images") { check(image_ops()); }

}  // namespace temper::test
