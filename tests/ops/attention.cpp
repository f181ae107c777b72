#include <temper/autograd/ops/attention.hpp>

#include <doctest/doctest.h>

#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/attention.hpp"

namespace temper::test {

std::vector<OpTest> attention_ops() {
  return {{"scaled_dot_product_attention",
           [](const Tensors& x, const Attributes& a) {
             AttentionOptions options{.causal = a.value("causal", false)};
             if (x.size() > 3) options.mask = x[3];
             if (a.contains("scale")) options.scale = a["scale"];
             return scaled_dot_product_attention(x[0], x[1], x[2], options);
           },
           reference::scaled_dot_product_attention,
           {throws<ShapeError>("scaled_dot_product_attention: q [4, 8], k [5, 7] and v [5, 8]",
                               [] {
                                 return scaled_dot_product_attention(ones({4, 8}), ones({5, 7}), ones({5, 8}));
                               }),
            throws<ShapeError>("scaled_dot_product_attention: mask [3, 5] does not broadcast to the scores [4, 5]",
                               [] {
                                 return scaled_dot_product_attention(ones({4, 8}), ones({5, 8}), ones({5, 8}),
                                                                     {.mask = zeros({3, 5}, Dtype::boolean)});
                               }),
            throws<ValueError>("scaled_dot_product_attention: query [0] of [4] sees no key", [] {
              return scaled_dot_product_attention(ones({4, 8}), ones({5, 8}), ones({5, 8}),
                                                  {.mask = zeros({4, 5}, Dtype::boolean)});
            })}}};
}

TEST_CASE("attention") { check(attention_ops()); }

}  // namespace temper::test
