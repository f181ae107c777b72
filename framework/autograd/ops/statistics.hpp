#pragma once

#include <limits>

#include <temper/autograd/ops/reduce.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

// Numbers that sum up others, over the axes, by default all. x is f32 or bf16 (but for prod), computed in f32 and
// rounded at the end. All throw: ShapeError for other dtypes, when there is no such axis and when one is given twice.

struct VarOptions {
  std::int64_t correction =
      1;  ///< the sum of squares is divided by the count minus this; 0 for that of the numbers alone
  bool keepdim = false;
};
/// The variance and its root, the standard deviation. The slope of a deviation of 0 is 0. Throws also: ValueError when
/// no more numbers than `correction` are there.
Tensor var(const Tensor& x, const Axes& axes = {}, const VarOptions& options = {});
Tensor std(const Tensor& x, const Axes& axes = {}, const VarOptions& options = {});

/// (sum |x|^p)^(1/p) for p from 1 to infinity, which gives the largest |x|. Squares neither overflow nor vanish, and
/// the slope at 0 is 0. Throws also: ValueError for other p, and for the largest of nothing.
Tensor norm(const Tensor& x, double p = 2.0, const Axes& axes = {}, ReduceOptions options = {});

/// log(sum(e^x)), without overflow.
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

/// The product; f32 alone. Its gradient is right where numbers are 0, too. That of nothing is 1.
Tensor prod(const Tensor& x, const Axes& axes = {}, ReduceOptions options = {});

}  // namespace temper
