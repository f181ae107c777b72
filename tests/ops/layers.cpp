#include <doctest/doctest.h>

#include <cmath>

#include <temper/autograd/ops/attention.hpp>
#include <temper/autograd/ops/conv_nd.hpp>
#include <temper/autograd/ops/conv_transpose.hpp>
#include <temper/autograd/ops/group_norm.hpp>
#include <temper/autograd/ops/interpolate.hpp>
#include <temper/autograd/ops/recurrent.hpp>
#include <temper/autograd/ops/rotary.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/layers.hpp"
#include "tests/reference/resample.hpp"

namespace temper::test {

namespace {

AttentionOptions options_of(const Attributes& a) {
  return {.causal = a.value("causal", false), .window = {a.value("left", -1), a.value("right", -1)}};
}

Tensor optional(const Tensors& x, std::size_t i) { return i < x.size() ? x[i] : Tensor(); }

Pair2 pair(const Attributes& a, const char* name, int otherwise) {
  const auto [h, w] = reference::pair_of(a.value(name, Attributes(otherwise)));
  return {h, w};
}

Triple3 triple(const Attributes& a, const char* name, int otherwise) {
  if (!a.contains(name)) return otherwise;
  return {a[name][0], a[name][1], a[name][2]};
}

RecurrentCell cell_of(const std::string& name) {
  return name == "lstm"   ? RecurrentCell::lstm
         : name == "gru"  ? RecurrentCell::gru
         : name == "tanh" ? RecurrentCell::tanh
                          : RecurrentCell::relu;
}

std::vector<OpTest> sequence_ops() {
  return {
      {"rotary_embedding",
       [](const Tensors& x, const Attributes& a) {
         const std::int64_t offset = a["offset"], pairs = a["pairs"];
         const Tensor table = rotary_table(offset + x[0].size(-2), 2 * pairs, {.base = a["base"]});
         return rotary_embedding(x[0], table, {.offset = offset, .interleaved = a["interleaved"]});
       },
       reference::rotary_embedding,
       {throws<ShapeError>("rotary_embedding: table [2, 4, 3], input [4, 4] expects [2, positions, at most 2]",
                           [] {
                             return rotary_embedding(ones({4, 4}), rotary_table(4, 6));
                           }),
        throws<ValueError>("rotary_embedding: positions 2 to 6 are outside the 4 of table [2, 4, 2]",
                           [] {
                             return rotary_embedding(ones({4, 4}), rotary_table(4, 4), {.offset = 2});
                           }),
        throws<ValueError>("rotary_table: 4 positions and 3 features, expected an even number of features",
                           [] { return rotary_table(4, 3); })}},
      {"grouped_attention",
       [](const Tensors& x, const Attributes& a) {
         AttentionOptions options = options_of(a);
         options.bias = optional(x, 3);
         return scaled_dot_product_attention(x[0], x[1], x[2], options);
       },
       reference::grouped_attention,
       {throws<ShapeError>(
            "scaled_dot_product_attention: q [1, 3, 4, 8], k [1, 2, 4, 8] and v [1, 2, 4, 8]",
            [] {
              return scaled_dot_product_attention(ones({1, 3, 4, 8}), ones({1, 2, 4, 8}), ones({1, 2, 4, 8}));
            }),
        throws<ShapeError>(
            "scaled_dot_product_attention: bias [3, 5] does not broadcast to the scores [4, 5]",
            [] {
              return scaled_dot_product_attention(ones({4, 8}), ones({5, 8}), ones({5, 8}), {.bias = ones({3, 5})});
            }),
        throws<ValueError>(
            "scaled_dot_product_attention: window -2 to -1, expected at least -1",
            [] {
              return scaled_dot_product_attention(ones({4, 8}), ones({5, 8}), ones({5, 8}), {.window = {.left = -2}});
            })}},
      {"packed_attention",
       [](const Tensors& x, const Attributes& a) { return packed_attention(x[0], x[1], x[2], x[3], options_of(a)); },
       reference::packed_attention,
       {throws<ValueError>("packed_attention: offsets from 0 to 3, expected 0 to 4 tokens",
                           [] {
                             const Tensor x = ones({4, 1, 8});
                             return packed_attention(x, x, x, indices({0, 3}));
                           }),
        throws<ValueError>("packed_attention: offsets 2 is 1 after 2, expected not to fall",
                           [] {
                             const Tensor x = ones({4, 1, 8});
                             return packed_attention(x, x, x, indices({0, 2, 1, 4}));
                           }),
        throws<ValueError>("packed_attention: mask is given, expected neither mask nor bias",
                           [] {
                             const Tensor x = ones({4, 1, 8});
                             return packed_attention(x, x, x, indices({0, 4}), {.mask = zeros({4, 4}, Dtype::boolean)});
                           })}},
      {"recurrent",
       [](const Tensors& x, const Attributes& a) {
         const RecurrentCell cell = cell_of(a["cell"]);
         const bool lstm = cell == RecurrentCell::lstm;
         const RecurrentOutputs out = recurrent(cell,
                                                {.gates = x[0],
                                                 .weight_hh = x[1],
                                                 .bias_hh = x[2],
                                                 .h0 = x[3],
                                                 .c0 = lstm ? x[4] : Tensor(),
                                                 .lengths = optional(x, 5)},
                                                a.value("reverse", false));
         return lstm ? Tensors{out.y, out.h, out.c} : Tensors{out.y, out.h};
       },
       reference::recurrent,
       {throws<ShapeError>("recurrent: gates [2, 1, 8] and weight_hh [8, 3], expected [T, N, 4 H] and [4 H, H]",
                           [] {
                             return recurrent(RecurrentCell::lstm, {ones({2, 1, 8}), ones({8, 3})}).y;
                           }),
        throws<ValueError>("recurrent: length 3, expected 0 to the 2 steps",
                           [] {
                             return recurrent(
                                        RecurrentCell::tanh,
                                        {.gates = ones({2, 1, 3}), .weight_hh = ones({3, 3}), .lengths = indices({3})})
                                 .y;
                           })}},
  };
}

std::vector<OpTest> convolution_ops() {
  return {
      {"conv1d",
       [](const Tensors& x, const Attributes& a) {
         Conv1dOptions options{
             .stride = a.value("stride", 1), .dilation = a.value("dilation", 1), .groups = a.value("groups", 1)};
         if (a.contains("padding")) options.padding = {a["padding"][0], a["padding"][1]};
         return conv1d(x[0], x[1], optional(x, 2), options);
       },
       reference::conv1d,
       {throws<ShapeError>("conv1d: input [2, 3] and weight [2, 3, 1], expected [N, L, C] and [out, C / groups, k]",
                           [] {
                             return conv1d(ones({2, 3}), ones({2, 3, 1}));
                           }),
        throws<ValueError>("conv1d: padding -1, 0, expected at least 0",
                           [] {
                             return conv1d(ones({2, 3, 3}), ones({2, 3, 1}), {}, {.padding = {-1, 0}});
                           })}},
      {"conv3d",
       [](const Tensors& x, const Attributes& a) {
         return conv3d(
             x[0], x[1], optional(x, 2),
             {triple(a, "stride", 1), triple(a, "padding", 0), triple(a, "dilation", 1), a.value("groups", 1)});
       },
       reference::conv3d,
       {throws<ShapeError>("conv3d: input [1, 2, 2, 2, 3] has 3 channels, weight [1, 2, 1, 1, 1] expects 2",
                           [] {
                             return conv3d(ones({1, 2, 2, 2, 3}), ones({1, 2, 1, 1, 1}));
                           }),
        throws<ShapeError>("conv3d: weight [1, 3, 3, 1, 1] does not fit into the depth of input [1, 2, 2, 2, 3]",
                           [] {
                             return conv3d(ones({1, 2, 2, 2, 3}), ones({1, 3, 3, 1, 1}));
                           })}},
      {"conv_transpose2d",
       [](const Tensors& x, const Attributes& a) {
         return conv_transpose2d(x[0], x[1], optional(x, 2),
                                 {pair(a, "stride", 1), pair(a, "padding", 0), pair(a, "output_padding", 0),
                                  pair(a, "dilation", 1), a.value("groups", 1)});
       },
       reference::conv_transpose2d,
       {throws<ShapeError>("conv_transpose2d: weight [2, 3, 1, 1], input [1, 2, 2, 3] expects [3, out / groups",
                           [] {
                             return conv_transpose2d(ones({1, 2, 2, 3}), ones({2, 3, 1, 1}));
                           }),
        throws<ValueError>("conv_transpose2d: output_padding 1 x 1, expected less than the stride or the dilation",
                           [] {
                             return conv_transpose2d(ones({1, 2, 2, 3}), ones({3, 3, 1, 1}), {}, {.output_padding = 1});
                           }),
        throws<ShapeError>("conv_transpose2d: input [1, 1, 1, 3] gives -1 x -1",
                           [] {
                             return conv_transpose2d(ones({1, 1, 1, 3}), ones({3, 3, 1, 1}), {}, {.padding = 1});
                           })}},
      {"conv_transpose1d",
       [](const Tensors& x, const Attributes& a) {
         return conv_transpose1d(x[0], x[1], optional(x, 2),
                                 {.stride = a.value("stride", 1),
                                  .padding = a.value("padding", 0),
                                  .output_padding = a.value("output_padding", 0),
                                  .dilation = a.value("dilation", 1),
                                  .groups = a.value("groups", 1)});
       },
       reference::conv_transpose1d,
       {throws<ShapeError>("conv_transpose1d: input [2, 3] and weight [3, 2, 1], expected [N, L, in]",
                           [] {
                             return conv_transpose1d(ones({2, 3}), ones({3, 2, 1}));
                           }),
        throws<ShapeError>("conv_transpose1d: input [2, 3] is i64, expected f32 or bf16",
                           [] {
                             return conv_transpose1d(zeros({2, 3}, Dtype::i64), ones({3, 2, 1}));
                           })}},
      {"group_norm",
       [](const Tensors& x, const Attributes& a) {
         return group_norm(x[0], a["groups"], optional(x, 1), optional(x, 2), {.eps = a.value("eps", 1e-5f)});
       },
       reference::group_norm,
       {throws<ValueError>("group_norm: 2 groups do not divide the 3 channels of input [4, 3]",
                           [] {
                             return group_norm(ones({4, 3}), 2);
                           }),
        throws<ShapeError>("group_norm: weight [2], input [4, 3] expects [3]",
                           [] {
                             return group_norm(ones({4, 3}), 3, ones({2}));
                           }),
        throws<ShapeError>("group_norm: input [3], expected [N, ..., C]", [] { return group_norm(ones({3}), 1); })}},
      {"instance_norm",
       [](const Tensors& x, const Attributes&) { return instance_norm(x[0], optional(x, 1), optional(x, 2)); },
       reference::instance_norm,
       {throws<ShapeError>("instance_norm: bias [2], input [4, 2, 3] expects [3]",
                           [] {
                             return instance_norm(ones({4, 2, 3}), ones({3}), ones({2}));
                           }),
        throws<ValueError>("instance_norm: eps -1, expected at least 0",
                           [] {
                             return instance_norm(ones({4, 2, 3}), {}, {}, {.eps = -1.0f});
                           })}},
  };
}

std::vector<OpTest> resampling_ops() {
  return {
      {"interpolate",
       [](const Tensors& x, const Attributes& a) {
         const std::string mode = a["mode"];
         return interpolate(x[0], {a["output"][0], a["output"][1]},
                            {.mode = mode == "nearest"    ? Interpolation::nearest
                                     : mode == "bilinear" ? Interpolation::bilinear
                                                          : Interpolation::bicubic,
                             .align_corners = a.value("align_corners", false)});
       },
       reference::interpolate,
       {throws<ValueError>("interpolate: output 0 x 2, expected at least 1",
                           [] {
                             return interpolate(ones({1, 2, 2, 3}), {0, 2});
                           }),
        throws<ShapeError>("interpolate: input f32 [2, 2, 3], expected f32 or bf16 [N, H, W, C]",
                           [] {
                             return interpolate(ones({2, 2, 3}), {2, 2});
                           })}},
      {"pixel_shuffle",
       [](const Tensors& x, const Attributes& a) { return pixel_shuffle(x[0], a["factor"]); },
       reference::pixel_shuffle,
       {throws<ShapeError>("pixel_shuffle: the sizes of input [1, 2, 2, 3] do not divide by the factor 2",
                           [] {
                             return pixel_shuffle(ones({1, 2, 2, 3}), 2);
                           }),
        throws<ValueError>("pixel_shuffle: factor 0, expected at least 1",
                           [] {
                             return pixel_shuffle(ones({1, 2, 2, 3}), 0);
                           })}},
      {"pixel_unshuffle",
       [](const Tensors& x, const Attributes& a) { return pixel_unshuffle(x[0], a["factor"]); },
       reference::pixel_unshuffle,
       {throws<ShapeError>("pixel_unshuffle: the sizes of input [1, 3, 2, 3] do not divide by the factor 2",
                           [] {
                             return pixel_unshuffle(ones({1, 3, 2, 3}), 2);
                           }),
        throws<ValueError>("pixel_unshuffle: factor 0, expected at least 1",
                           [] {
                             return pixel_unshuffle(ones({1, 2, 2, 3}), 0);
                           })}},
  };
}

}  // namespace

std::vector<OpTest> layer_ops() {
  std::vector<OpTest> all = sequence_ops();
  for (auto* family : {convolution_ops, resampling_ops}) {
    for (OpTest& test : family()) all.push_back(std::move(test));
  }
  return all;
}

TEST_CASE("positions, attention with all its options, recurrent layers") { check(sequence_ops()); }
TEST_CASE("convolutions along one and three axes and transposed ones, group norm") { check(convolution_ops()); }

TEST_CASE("images of another size") { check(resampling_ops()); }

TEST_CASE("rotary tables of longer contexts") {
  // Llama 3 interpolates from wavelengths of half the context of 8192 tokens on.
  const Tensor plain = rotary_table(2, 64, {.base = 500000.0}),
               scaled = rotary_table(2, 64, {.base = 500000.0, .llama3 = Llama3Scaling{}});
  const auto angle = [](const Tensor& table, std::int64_t pair) {
    return std::asin(table.data<float>()[(2 + 1) * table.size(2) + pair]);
  };
  CHECK(angle(scaled, 0) == angle(plain, 0));                                         // high frequencies are unchanged
  CHECK(angle(scaled, 31) == doctest::Approx(angle(plain, 31) / 8.0).epsilon(1e-5));  // low frequencies are divided
  CHECK(angle(rotary_table(2, 8, {.factor = 4.0}), 0) == doctest::Approx(0.25).epsilon(1e-6));  // positions are divided
}

}  // namespace temper::test
