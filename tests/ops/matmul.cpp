#include <temper/autograd/ops/matmul.hpp>

#include <doctest/doctest.h>

#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/matmul.hpp"

namespace temper::test {

std::vector<OpTest> matmul_ops() {
  return {
      {"matmul",
       [](const Tensors& x, const Attributes& a) {
         return matmul(x[0], x[1],
                       {.transpose_a = a.value("transpose_a", false), .transpose_b = a.value("transpose_b", false)});
       },
       reference::matmul,
       {throws<ShapeError>("matmul: a [2, 3] has 3 columns, b [4, 5] has 4 rows",
                           [] {
                             return matmul(ones({2, 3}), ones({4, 5}));
                           }),
        throws<ShapeError>("matmul: a [2, 3, 4] and b [3, 4, 5] differ in their leading axes [2] and [3]",
                           [] {
                             return matmul(ones({2, 3, 4}), ones({3, 4, 5}));
                           }),
        throws<ShapeError>("matmul: a [3] and b [3, 2], expected at least two axes each",
                           [] {
                             return matmul(ones({3}), ones({3, 2}));
                           }),
        throws<ShapeError>("matmul: b [3, 2] is i64, expected f32",
                           [] {
                             return matmul(ones({2, 3}), zeros({3, 2}, Dtype::i64));
                           })}},
      {"linear",
       [](const Tensors& x, const Attributes&) { return linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor()); },
       reference::linear,
       {throws<ShapeError>("linear: input [7, 9] has 9 features, weight [4, 8] expects 8",
                           [] {
                             return linear(ones({7, 9}), ones({4, 8}));
                           }),
        throws<ShapeError>("linear: bias [5], weight [4, 9] expects [4]",
                           [] {
                             return linear(ones({7, 9}), ones({4, 9}), ones({5}));
                           }),
        throws<ShapeError>("linear: weight [4], expected [out, in]",
                           [] {
                             return linear(ones({7, 4}), ones({4}));
                           })}},
      {"linear_gelu",
       [](const Tensors& x, const Attributes& a) {
         return linear_gelu(x[0], x[1], x.size() > 2 ? x[2] : Tensor(),
                            a.value("tanh", false) ? GeluForm::tanh : GeluForm::erf);
       },
       reference::linear_gelu,
       {throws<ShapeError>("linear_gelu: input [7, 9] has 9 features, weight [4, 8] expects 8",
                           [] {
                             return linear_gelu(ones({7, 9}), ones({4, 8}));
                           }),
        throws<ShapeError>("linear_gelu: bias [5], weight [4, 9] expects [4]",
                           [] {
                             return linear_gelu(ones({7, 9}), ones({4, 9}), ones({5}));
                           })}},
      {"linear_silu",
       [](const Tensors& x, const Attributes&) { return linear_silu(x[0], x[1], x.size() > 2 ? x[2] : Tensor()); },
       reference::linear_silu,
       {throws<ShapeError>("linear_silu: weight [4], expected [out, in]",
                           [] {
                             return linear_silu(ones({7, 4}), ones({4}));
                           }),
        throws<ShapeError>("linear_silu: bias [5], weight [4, 9] expects [4]",
                           [] {
                             return linear_silu(ones({7, 9}), ones({4, 9}), ones({5}));
                           })}},
  };
}

TEST_CASE("matmul, linear with and without an activation") { check(matmul_ops()); }

}  // namespace temper::test
