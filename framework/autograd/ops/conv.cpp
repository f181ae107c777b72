#include <temper/autograd/ops/cast.hpp>
#include <temper/autograd/ops/conv.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/tape.hpp>

#include "framework/autograd/ops/spatial_internal.hpp"
#include "framework/core/format_internal.hpp"
#include "framework/kernels/conv.hpp"
#include "framework/kernels/reduce.hpp"

namespace temper {

namespace {

kernels::Conv2d check(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options) {
  detail::check_image("conv2d", x);
  detail::check_at_least("conv2d", "stride", options.stride, 1);
  detail::check_at_least("conv2d", "padding", {options.padding.h.before, options.padding.w.before}, 0);
  detail::check_at_least("conv2d", "padding", {options.padding.h.after, options.padding.w.after}, 0);
  detail::check_at_least("conv2d", "dilation", options.dilation, 1);
  const std::int64_t groups = options.groups;
  if (groups < 1) fail<ValueError>("conv2d: groups {}, expected at least 1", groups);
  if (weight.dtype() != x.dtype() || weight.rank() != 4) {
    fail<ShapeError>("conv2d: weight {} {}, expected {} [out, in / groups, kernel_h, kernel_w]", weight.dtype(),
                     weight.shape(), x.dtype());
  }
  if (weight.numel() == 0) fail<ShapeError>("conv2d: weight {} is empty", weight.shape());
  if (x.size(3) != weight.size(1) * groups) {
    fail<ShapeError>("conv2d: input {} has {} channels, weight {} expects {}{}{}", x.shape(), x.size(3), weight.shape(),
                     weight.size(1) * groups, groups > 1 ? fmt::format(" in {} groups", groups) : "",
                     detail::layout_hint(x, weight.size(1) * groups));
  }
  if (weight.size(0) % groups != 0) {
    fail<ShapeError>("conv2d: weight {} has {} output channels, not a multiple of {} groups", weight.shape(),
                     weight.size(0), groups);
  }
  if (bias.defined() && (bias.dtype() != Dtype::f32 || !(bias.shape() == Shape{weight.size(0)}))) {
    fail<ShapeError>("conv2d: bias {} {}, weight {} expects f32 [{}]", bias.dtype(), bias.shape(), weight.shape(),
                     weight.size(0));
  }
  const kernels::Conv2d shape{.n = x.size(0),
                              .h = x.size(1),
                              .w = x.size(2),
                              .in = x.size(3),
                              .out = weight.size(0),
                              .kernel_h = weight.size(2),
                              .kernel_w = weight.size(3),
                              .stride_h = options.stride.h,
                              .stride_w = options.stride.w,
                              .padding_h = options.padding.h.before,
                              .padding_w = options.padding.w.before,
                              .dilation_h = options.dilation.h,
                              .dilation_w = options.dilation.w,
                              .groups = groups};
  detail::check_window("conv2d", x, {shape.kernel_h, shape.kernel_w}, options.padding, options.dilation);
  return shape;
}

Shape input_of(const kernels::Conv2d& shape) { return {shape.n, shape.h, shape.w, shape.in}; }
Shape weight_of(const kernels::Conv2d& shape) {
  return {shape.out, shape.in / shape.groups, shape.kernel_h, shape.kernel_w};
}

// A convolution is linear in the input and in the weight, so its gradients are again linear in both of theirs, and the
// gradients of each of these three functions are the other two.

Tensor convolved(const kernels::Conv2d& shape, const Tensor& x, const Tensor& weight, const Tensor& bias);
Tensor weight_gradient(const kernels::Conv2d& shape, const Tensor& x, const Tensor& dy);

Tensor input_gradient(const kernels::Conv2d& shape, const Tensor& dy, const Tensor& weight) {
  Tensor dx = empty(input_of(shape), dy.dtype());
  detail::with_type(dy.dtype(), [&]<class T>() {
    kernels::conv2d_backward_data(shape, dy.data<T>(), weight.data<T>(), dx.mutable_data<T>());
  });
  return record(
      "conv2d", dx, {dy, weight},
      differentiable([shape, dy = save(dy, {1}), weight = save(weight, {0})](const Tensor& ddx, Gradients& gradients) {
        if (gradients.wants(0)) gradients.give(0, convolved(shape, ddx, weight, Tensor()));
        if (gradients.wants(1)) gradients.give(1, weight_gradient(shape, ddx, dy));
      }));
}

Tensor weight_gradient(const kernels::Conv2d& shape, const Tensor& x, const Tensor& dy) {
  Tensor dw = empty(weight_of(shape), dy.dtype());
  detail::with_type(dy.dtype(), [&]<class T>() {
    kernels::conv2d_backward_weights(shape, x.data<T>(), dy.data<T>(), dw.mutable_data<T>(), false);
  });
  return record("conv2d", dw, {x, dy},
                differentiable([shape, x = save(x, {1}), dy = save(dy, {0})](const Tensor& ddw, Gradients& gradients) {
                  if (gradients.wants(0)) gradients.give(0, input_gradient(shape, dy, ddw));
                  if (gradients.wants(1)) gradients.give(1, convolved(shape, x, ddw, Tensor()));
                }));
}

Tensor convolved(const kernels::Conv2d& shape, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  Tensor y = empty({shape.n, shape.out_h(), shape.out_w(), shape.out}, x.dtype());
  detail::with_type(x.dtype(), [&]<class T>() {
    kernels::conv2d(shape, x.data<T>(), weight.data<T>(), detail::data_or_null<float>(bias), y.mutable_data<T>());
  });
  return record(
      {"conv2d",
       {{"stride", {shape.stride_h, shape.stride_w}},
        {"padding", {shape.padding_h, shape.padding_w}},
        {"dilation", {shape.dilation_h, shape.dilation_w}},
        {"groups", shape.groups}}},
      y, {x, weight, bias},
      differentiable([x = save(x, {1}), weight = save(weight, {0}), shape](const Tensor& dy, Gradients& gradients) {
        if (gradients.wants(0)) gradients.give(0, input_gradient(shape, dy, weight));
        if (recording()) {
          if (gradients.wants(1)) gradients.give(1, weight_gradient(shape, x, dy));
          if (gradients.wants(2)) gradients.give(2, sum(to(dy, Dtype::f32), {0, 1, 2}));
          return;
        }
        if (gradients.wants(1)) {
          Gradients::Target dw = gradients.into(1);
          detail::with_types(dy.dtype(), dw.tensor, [&]<class T, class G>() {
            kernels::conv2d_backward_weights(shape, x->data<T>(), dy.data<T>(), dw.tensor.mutable_data<G>(),
                                             dw.accumulate);
          });
        }
        if (gradients.wants(2)) {
          Gradients::Target db = gradients.into(2);
          detail::with_type(dy.dtype(), [&]<class T>() {
            kernels::sum_rows(dy.data<T>(), shape.n * shape.out_h() * shape.out_w(), shape.out,
                              db.tensor.mutable_data<float>(), db.accumulate);
          });
        }
      }));
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options) {
  detail::require_defined("conv2d", "input", x);
  detail::require_defined("conv2d", "weight", weight);
  if (weight.dtype() == Dtype::bf16 && x.defined() && x.dtype() == Dtype::f32) {
    return conv2d(to(x, Dtype::bf16), weight, bias, options);
  }
  const kernels::Conv2d shape = check(x, weight, bias, options);
  if (!options.padding.even()) {
    Conv2dOptions unpadded = options;
    unpadded.padding = 0;
    return conv2d(pad(x, {{0, 0}, options.padding.h, options.padding.w, {0, 0}}), weight, bias, unpadded);
  }
  return convolved(shape, x, weight, bias);
}

}  // namespace temper
