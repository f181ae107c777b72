#include <doctest/doctest.h>

#include <temper/autograd/ops/batch_norm.hpp>
#include <temper/autograd/ops/norm.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/norm.hpp"

namespace temper::test {

std::vector<OpTest> norm_ops() {
  return {
      {"layer_norm",
       [](const Tensors& x, const Attributes& a) {
         const Tensor bias = x.size() > 2 ? x[2] : Tensor();
         return a.contains("eps") ? layer_norm(x[0], x[1], bias, {.eps = a["eps"]}) : layer_norm(x[0], x[1], bias);
       },
       reference::layer_norm,
       {throws<ShapeError>("layer_norm: input [4, 8] does not end in the shape [9] of weight",
                           [] {
                             return layer_norm(ones({4, 8}), ones({9}), ones({9}));
                           }),
        throws<ShapeError>("layer_norm: bias [7] and weight [8], expected the same shape",
                           [] {
                             return layer_norm(ones({4, 8}), ones({8}), ones({7}));
                           }),
        throws<ValueError>("layer_norm: eps -1, expected at least 0",
                           [] {
                             return layer_norm(ones({4, 8}), ones({8}), ones({8}), {.eps = -1});
                           })}},
      {"add_layer_norm",
       [](const Tensors& x, const Attributes& a) {
         const auto [sum, norm] =
             add_layer_norm(x[0], x[1], x[2], x.size() > 3 ? x[3] : Tensor(), {.eps = a.value("eps", 1e-5f)});
         return Tensors{sum, norm};
       },
       reference::add_layer_norm,
       {throws<ShapeError>("add_layer_norm: y [4, 1], input [4, 8] expects the same",
                           [] {
                             return add_layer_norm(ones({4, 8}), ones({4, 1}), ones({8}), ones({8})).norm;
                           }),
        throws<ShapeError>("add_layer_norm: input [4, 8] is f32, y [4, 8] is bf16, expected the same dtype",
                           [] {
                             return add_layer_norm(ones({4, 8}), zeros({4, 8}, Dtype::bf16), ones({8}), {}).norm;
                           }),
        throws<ShapeError>("add_layer_norm: input [4, 8] does not end in the shape [9] of weight",
                           [] {
                             return add_layer_norm(ones({4, 8}), ones({4, 8}), ones({9}), ones({9})).norm;
                           })}},
      {"rms_norm",
       [](const Tensors& x, const Attributes& a) {
         return a.contains("eps") ? rms_norm(x[0], x[1], {.eps = a["eps"]}) : rms_norm(x[0], x[1]);
       },
       reference::rms_norm,
       {throws<ShapeError>("rms_norm: input [4, 8] does not end in the shape [9] of weight",
                           [] {
                             return rms_norm(ones({4, 8}), ones({9}));
                           }),
        throws<ShapeError>("rms_norm: weight [0] is empty",
                           [] {
                             return rms_norm(ones({4, 0}), ones({0}));
                           })}},
      {"batch_norm",
       [](const Tensors& x, const Attributes& a) {
         BatchNormOptions options{.frozen = !a.value("training", true)};
         options.eps = a.value("eps", options.eps);
         options.momentum = a.value("momentum", options.momentum);
         const Tensor running_mean = x[3].clone(), running_var = x[4].clone();
         const Tensor y = batch_norm(x[0], x[1], x[2], running_mean, running_var, options);
         return Tensors{y, running_mean, running_var};
       },
       reference::batch_norm,
       {throws<ShapeError>("batch_norm: weight f32 [3], input [4, 2, 2, 8] expects f32 [8]",
                           [] {
                             return batch_norm(ones({4, 2, 2, 8}), ones({3}), ones({8}), ones({8}), ones({8}));
                           }),
        throws<ShapeError>("batch_norm: input f32 [8], expected f32 or bf16 [..., C]",
                           [] { return batch_norm(ones({8}), ones({8}), ones({8}), ones({8}), ones({8})); }),
        throws<ValueError>("batch_norm: input [1, 1, 1, 8] has 1 value a channel, training needs at least 2",
                           [] {
                             const Tape tape;
                             return batch_norm(ones({1, 1, 1, 8}), ones({8}), ones({8}), ones({8}), ones({8}));
                           }),
        throws<ValueError>(
            "batch_norm: momentum 2, expected 0 to 1",
            [] {
              return batch_norm(ones({2, 8}), ones({8}), ones({8}), ones({8}), ones({8}), {.momentum = 2});
            })}},
  };
}

TEST_CASE("norms") { check(norm_ops()); }

}  // namespace temper::test
