#include <temper/autograd/ops/einsum.hpp>

#include <doctest/doctest.h>

#include <temper/autograd/ops/matmul.hpp>
#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/einsum.hpp"

namespace temper::test {

std::vector<OpTest> einsum_ops() {
  return {
      {"einsum",
       [](const Tensors& x, const Attributes& a) {
         const std::string equation = a["equation"];
         return einsum(equation, x);
       },
       reference::einsum,
       {throws<ValueError>("einsum: \"ii->i\": a letter occurs twice in one operand",
                           [] {
                             return einsum("ii->i", {ones({2, 2})});
                           }),
        throws<ValueError>("einsum: \"...i->i\": expected letters, commas and one \"->\"",
                           [] {
                             return einsum("...i->i", {ones({2, 2})});
                           }),
        throws<ValueError>("einsum: \"ij->k\": the result has a letter that no operand has",
                           [] {
                             return einsum("ij->k", {ones({2, 2})});
                           }),
        throws<ShapeError>("einsum: axis j is 4 in operand 1 [4, 5], and 3 before",
                           [] {
                             return einsum("ij,jk->ik", {ones({2, 3}), ones({4, 5})});
                           }),
        throws<ShapeError>("einsum: operand 0 [2], \"ij\" expects 2 axes", [] { return einsum("ij->i", {ones({2})}); }),
        throws<ShapeError>("einsum: \"ij,jk\" has 2 operands, 1 were given",
                           [] {
                             return einsum("ij,jk", {ones({2, 3})});
                           })}},
      {"broadcast_matmul",
       [](const Tensors& x, const Attributes& a) {
         return matmul(x[0], x[1],
                       {.transpose_a = a.value("transpose_a", false), .transpose_b = a.value("transpose_b", false)});
       },
       reference::broadcast_matmul,
       {throws<ShapeError>("matmul: a [2, 3, 4] and b [3, 4, 5] differ in their leading axes [2] and [3]",
                           [] {
                             return matmul(ones({2, 3, 4}), ones({3, 4, 5}));
                           }),
        throws<ShapeError>("has 4 columns, b [2, 3, 5] has 3 rows", [] {
          return matmul(ones({1, 3, 4}), ones({2, 3, 5}));
        })}}};
}

TEST_CASE("einsum, and products of batches that broadcast") { check(einsum_ops()); }

}  // namespace temper::test
