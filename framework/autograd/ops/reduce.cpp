#include <temper/autograd/ops/reduce.hpp>

#include <algorithm>
#include <climits>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/autograd/ops/ops_internal.hpp"
#include "framework/autograd/ops/reduce_internal.hpp"
#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/integer.hpp"
#include "framework/kernels/reduce.hpp"

namespace temper {

using detail::reduced;
using detail::Reduced;
using detail::require;
using detail::require_axis;
using kernels::Reduce;

Axes::Axes(std::span<const int> axes) : count_(static_cast<int>(axes.size())) {
  if (axes.size() > Shape::max_rank) {
    fail<ShapeError>("{} axes were given, a shape has at most {}", axes.size(), Shape::max_rank);
  }
  std::copy(axes.begin(), axes.end(), axes_.begin());
}

Axes::Axes(std::span<const std::int64_t> axes) : count_(static_cast<int>(axes.size())) {
  if (axes.size() > Shape::max_rank) {
    fail<ShapeError>("{} axes were given, a shape has at most {}", axes.size(), Shape::max_rank);
  }
  for (std::size_t i = 0; i < axes.size(); ++i)
    axes_[i] = static_cast<int>(std::clamp<std::int64_t>(axes[i], INT_MIN, INT_MAX));
}

detail::Reduced detail::reduced(const char* name, const Tensor& x, const Axes& axes) {
  std::array<bool, Shape::max_rank> chosen{};
  if (axes.count() == 0) chosen.fill(true);
  for (const int axis : axes) {
    bool& flag = chosen[static_cast<std::size_t>(require_axis(name, "input", x, axis))];
    if (flag) fail<ShapeError>("{}: axis {} of input {} is given twice", name, axis, x.shape());
    flag = true;
  }
  Reduced result{x.shape(), {}, 1};
  std::array<std::int64_t, Shape::max_rank> left{};
  std::size_t rank = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (chosen[static_cast<std::size_t>(axis)]) {
      result.count *= x.size(axis);
      result.kept = result.kept.resized(axis, 1);
    } else {
      left[rank++] = x.size(axis);
    }
  }
  result.dropped = Shape(std::span<const std::int64_t>(left.data(), rank));
  return result;
}

namespace {

/// A reduction of i64 over the axes where `to.kept` has size 1.
Tensor whole(const char* name, kernels::Integer op, const Tensor& x, const Axes& axes, ReduceOptions options,
             const Reduced& to) {
  Tensor left = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (to.kept[axis] == left.size(axis)) continue;
    const auto [outer, size, inner] = detail::view_of(left.shape(), axis);
    Tensor y = empty(left.shape().resized(axis, 1), Dtype::i64);
    kernels::reduce_integers(op, left.data<std::int64_t>(), outer, size, inner, y.mutable_data<std::int64_t>());
    left = y;
  }
  const Tensor y = detail::alias(left.same(x) ? detail::copy(x) : left, to.result(options.keepdim));
  return record({name, {{"axes", axes}, {"keepdim", options.keepdim}}}, y, {x});
}

Tensor total(const char* name, const Tensor& x, const Axes& axes, ReduceOptions options, const Reduced& to,
             float scale) {
  Tensor y = empty(to.result(options.keepdim));
  detail::with_type(x.dtype(), [&]<class T>() {
    kernels::reduce_to(Reduce::sum, x.data<T>(), x.shape(), scale, y.mutable_data<float>(), to.kept);
  });
  return record({name, {{"axes", axes}, {"keepdim", options.keepdim}}}, detail::converted(y, x.dtype()), {x},
                differentiable([x = x.shape(), kept = to.kept, scale](const Tensor& dy, Gradients& gradients) {
                  if (recording()) return gradients.give(0, expand(dy.view(kept), x) * scale);
                  Tensor dx = empty(x, dy.dtype());
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    kernels::expand(dy.data<T>(), kept, scale, dx.mutable_data<T>(), x);
                  });
                  gradients.give(0, dx);
                }));
}

Tensor extreme(const char* name, Reduce op, const Tensor& x, const Axes& axes, ReduceOptions options) {
  detail::require_defined(name, "input", x);
  if (x.dtype() != Dtype::i64) require(name, "input", x);
  const Reduced to = reduced(name, x, axes);
  if (to.count == 0) fail<ValueError>("{}: input {} has nothing to choose from", name, x.shape());
  if (x.dtype() == Dtype::i64) {
    return whole(name, op == Reduce::largest ? kernels::Integer::maximum : kernels::Integer::minimum, x, axes, options,
                 to);
  }
  Tensor y = empty(to.result(options.keepdim));
  kernels::reduce_to(op, x.data<float>(), x.shape(), 1.0f, y.mutable_data<float>(), to.kept);
  return record({name, {{"axes", axes}, {"keepdim", options.keepdim}}}, y, {x},
                [x = save(x), y = save(y), kept = to.kept](const Tensor& dy, Gradients& gradients) {
                  // 1 / n for each of the n elements that equal the result, else 0.
                  Tensor dx = empty(x->shape()), share = empty(kept);
                  float* mask = dx.mutable_data<float>();
                  kernels::binary(kernels::Binary::same, x->data<float>(), x->shape(), y->data<float>(), kept, mask,
                                  x->shape());
                  float* shares = share.mutable_data<float>();
                  kernels::reduce_to(Reduce::sum, mask, x->shape(), 1.0f, shares, kept);
                  kernels::binary(kernels::Binary::div, dy.data<float>(), kept, shares, kept, shares, kept);
                  kernels::binary(kernels::Binary::mul, mask, x->shape(), shares, kept, mask, x->shape());
                  gradients.give(0, dx);
                });
}

}  // namespace

Tensor sum(const Tensor& x, const Axes& axes, ReduceOptions options) {
  detail::require_defined("sum", "input", x);
  if (x.dtype() != Dtype::i64) detail::require_float("sum", "input", x);
  const Reduced to = reduced("sum", x, axes);
  if (x.dtype() == Dtype::i64) return whole("sum", kernels::Integer::add, x, axes, options, to);
  return total("sum", x, axes, options, to, 1.0f);
}

Tensor mean(const Tensor& x, const Axes& axes, ReduceOptions options) {
  detail::require_float("mean", "input", x);
  const Reduced to = reduced("mean", x, axes);
  if (to.count == 0) fail<ValueError>("mean: input {} has no numbers to average", x.shape());
  return total("mean", x, axes, options, to, static_cast<float>(1.0 / static_cast<double>(to.count)));
}

Tensor max(const Tensor& x, const Axes& axes, ReduceOptions options) {
  return extreme("max", Reduce::largest, x, axes, options);
}

Tensor min(const Tensor& x, const Axes& axes, ReduceOptions options) {
  return extreme("min", Reduce::smallest, x, axes, options);
}

namespace {

Tensor place(const char* name, Reduce op, const Tensor& x, int axis, ArgOptions options) {
  detail::require_defined(name, "input", x);
  const int along = require_axis(name, "input", x, axis);
  const detail::AxisView view = detail::view_of(x.shape(), along);
  if (view.size == 0) fail<ValueError>("{}: input {} has nothing to choose from along axis {}", name, x.shape(), axis);
  Tensor y = empty(options.keepdim ? x.shape().resized(along, 1) : x.shape().without_axis(along), Dtype::i64);
  const bool real = x.dtype() == Dtype::f32 || x.dtype() == Dtype::bf16;
  const Tensor values = real ? detail::converted(x, Dtype::f32) : to(x, Dtype::i64);
  const auto find = [&](const auto* from) {
    kernels::arg_extreme(op, from, view.outer, view.size, view.inner, options.select_last_index,
                         y.mutable_data<std::int64_t>());
  };
  real ? find(values.data<float>()) : find(values.data<std::int64_t>());
  return record({name, {{"axis", along}, {"keepdim", options.keepdim}, {"last", options.select_last_index}}}, y, {x});
}

}  // namespace

Tensor argmax(const Tensor& x, int axis, ArgOptions options) {
  return place("argmax", Reduce::largest, x, axis, options);
}
Tensor argmin(const Tensor& x, int axis, ArgOptions options) {
  return place("argmin", Reduce::smallest, x, axis, options);
}

}  // namespace temper
