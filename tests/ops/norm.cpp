#include <temper/autograd/ops/norm.hpp>

#include <doctest/doctest.h>

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
  };
}

TEST_CASE("norms") { check(norm_ops()); }

}  // namespace temper::test
