#include "framework/autograd/ops/ops_internal.hpp"

#include <temper/autograd/ops/shape.hpp>

#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/reduce.hpp"

namespace temper::detail {

void require_defined(const char* operation, const char* argument, const Tensor& x) {
  if (!x.defined()) fail<ValueError>("{}: {} is an undefined tensor", operation, argument);
}

void require(const char* operation, const char* argument, const Tensor& x, Dtype dtype) {
  require_defined(operation, argument, x);
  if (x.dtype() != dtype) {
    fail<ShapeError>("{}: {} {} is {}, expected {}", operation, argument, x.shape(), x.dtype(), dtype);
  }
}

void require_float(const char* operation, const char* argument, const Tensor& x) {
  require_defined(operation, argument, x);
  if (x.dtype() != Dtype::f32 && x.dtype() != Dtype::bf16) {
    fail<ShapeError>("{}: {} {} is {}, expected f32 or bf16{}", operation, argument, x.shape(), x.dtype(),
                     x.dtype() == Dtype::boolean ? "; to(x, Dtype::f32) gives 0 and 1" : "");
  }
}

void require_alike(const char* operation, const char* argument, const Tensor& x, const char* other_argument,
                   const Tensor& other) {
  require_float(operation, argument, x);
  if (x.dtype() != other.dtype()) {
    fail<ShapeError>("{}: {} {} is {}, {} {} is {}, expected the same dtype", operation, other_argument, other.shape(),
                     other.dtype(), argument, x.shape(), x.dtype());
  }
}

Tensor converted(const Tensor& x, Dtype dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y = empty(x.shape(), dtype);
  if (dtype == Dtype::bf16) {
    kernels::convert(x.data<float>(), y.mutable_data<BFloat16>(), x.numel());
  } else {
    kernels::convert(x.data<BFloat16>(), y.mutable_data<float>(), x.numel());
  }
  return y;
}

int require_axis(const char* operation, const char* argument, const Tensor& x, int axis) {
  const int rank = x.rank();
  if (axis < -rank || axis >= rank) {
    fail<ShapeError>("{}: axis {} of {} {}, which has {} axes", operation, axis, argument, x.shape(), rank);
  }
  return axis < 0 ? axis + rank : axis;
}

namespace {

/// The sum over the axes along which `shape` was broadcast, in f32: it is rounded where it is gathered.
Tensor summed_to(const Tensor& x, const Shape& shape) {
  Tensor sums = empty(shape);
  with_type(x.dtype(), [&]<class T>() {
    kernels::reduce_to(kernels::Reduce::sum, x.data<T>(), x.shape(), 1.0f, sums.mutable_data<float>(), shape);
  });
  return record("sum", sums, {x}, differentiable([x = x.shape()](const Tensor& dy, Gradients& gradients) {
                  gradients.give(0, expand(dy, x));
                }));
}

}  // namespace

void give_reduced(Gradients& gradients, int input, Tensor gradient) {
  if (!gradients.wants(input)) return;
  const Shape shape = gradients.shape(input);
  gradients.give(input, gradient.shape() == shape ? std::move(gradient) : summed_to(gradient, shape));
}

SummedGradient::SummedGradient(Gradients& gradients, int input) {
  auto [target, accumulate] = gradients.into(input);
  target_ = target;
  accumulate_ = accumulate;
  if (target.dtype() != Dtype::f32) {
    sums_ = zeros(target.shape());
    return;
  }
  sums_ = target;
  if (!accumulate) sums_.fill(0.0f);
}

void SummedGradient::close() {
  if (target_.dtype() == Dtype::f32) return;
  const Tensor rounded = converted(sums_, Dtype::bf16);
  if (accumulate_) {
    kernels::accumulate(target_.mutable_data<BFloat16>(), rounded.data<BFloat16>(), target_.numel());
  } else {
    target_.copy_from(rounded);
  }
}

void pay_rows(const Tensor& weight, const Tensor& ids) {
  if (const auto parameter = parameter_of(weight); parameter && parameter->owed) {
    parameter->owed->pay(ids.values<std::int64_t>());
  }
}

AxisView view_of(const Shape& shape, int axis) {
  AxisView view{1, shape[axis], 1};
  for (int i = 0; i < axis; ++i) view.outer *= shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) view.inner *= shape[i];
  return view;
}

Tensor overwritable(const Tensor& dy) { return dy.unique() ? dy : empty(dy.shape(), dy.dtype()); }

}  // namespace temper::detail
