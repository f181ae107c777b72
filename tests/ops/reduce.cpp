#include <temper/autograd/ops/reduce.hpp>

#include <doctest/doctest.h>

#include <temper/core/errors.hpp>

#include "tests/ops/op_test.hpp"
#include "tests/reference/reduce.hpp"

namespace temper::test {

namespace {

using Reduce = Tensor (*)(const Tensor&, const Axes&, ReduceOptions);

OpTest reduction(const std::string& name, Reduce op, reference::Reference reference) {
  return {name,
          [op](const Tensors& x, const Attributes& a) {
            const auto axes = a.value("axes", std::vector<int>());
            return op(x[0], Axes(std::span<const int>(axes)), {.keepdim = a.value("keepdim", false)});
          },
          std::move(reference),
          {throws<ShapeError>(name + ": axis 2 of input [2, 3], which has 2 axes",
                              [op] {
                                return op(ones({2, 3}), 2, {});
                              }),
           throws<ShapeError>(name + ": axis -1 of input [2, 3] is given twice",
                              [op] {
                                return op(ones({2, 3}), {1, -1}, {});
                              }),
           throws<ShapeError>(name + ": input [3] is bool, expected f32",
                              [op] { return op(zeros({3}, Dtype::boolean), {}, {}); })}};
}

}  // namespace

std::vector<OpTest> reduce_ops() {
  std::vector<OpTest> ops = {
      reduction("sum", sum, reference::sum),
      reduction("mean", mean, reference::mean),
      reduction("max", max, reference::largest),
      reduction("min", min, reference::smallest),
      {"argmax",
       [](const Tensors& x, const Attributes& a) { return argmax(x[0], a["axis"]); },
       reference::argmax,
       {throws<ShapeError>("argmax: axis 1 of input [3], which has 1 axes", [] { return argmax(ones({3}), 1); }),
        throws<ValueError>("argmax: input [3, 0] has nothing to choose from along axis 1",
                           [] {
                             return argmax(ones({3, 0}), 1);
                           })}},
  };
  ops[1].errors.push_back(throws<ValueError>("mean: input [0, 3] has no numbers to average", [] {
    return mean(ones({0, 3}), 0);
  }));
  ops[2].errors.push_back(throws<ValueError>("max: input [0, 3] has nothing to choose from", [] {
    return max(ones({0, 3}));
  }));
  ops[3].errors.push_back(throws<ValueError>("min: input [0, 3] has nothing to choose from", [] {
    return min(ones({0, 3}));
  }));
  return ops;
}

TEST_CASE("reductions") { check(reduce_ops()); }

}  // namespace temper::test
