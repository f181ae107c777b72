#include <temper/autograd/ops/conv_transpose.hpp>

#include <algorithm>

#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/parallel.hpp>

#include "framework/autograd/ops/spatial_internal.hpp"
#include "framework/kernels/bfloat16.hpp"
#include "framework/kernels/conv.hpp"
#include "framework/kernels/elementwise.hpp"
#include "framework/kernels/reduce.hpp"

namespace temper {

namespace {

/// Checks the arguments and returns the convolution that this is the transpose of, whose input is our result.
kernels::Conv2d checked(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTranspose2dOptions& options) {
  constexpr const char* name = "conv_transpose2d";
  detail::check_image(name, x);
  detail::require_alike(name, "weight", weight, "input", x);
  detail::check_at_least(name, "stride", options.stride, 1);
  detail::check_at_least(name, "padding", options.padding, 0);
  detail::check_at_least(name, "output_padding", options.output_padding, 0);
  detail::check_at_least(name, "dilation", options.dilation, 1);
  const auto too_much = [](std::int64_t more, std::int64_t stride, std::int64_t dilation) {
    return more >= std::max(stride, dilation);
  };
  const auto& [stride, padding, more, dilation, groups] = options;
  if (too_much(more.h, stride.h, dilation.h) || too_much(more.w, stride.w, dilation.w)) {
    fail<ValueError>("{}: output_padding {} x {}, expected less than the stride or the dilation", name, more.h, more.w);
  }
  if (groups < 1) fail<ValueError>("{}: groups {}, expected at least 1", name, groups);
  if (weight.rank() != 4 || weight.numel() == 0 || weight.size(0) != x.size(3) || weight.size(0) % groups != 0) {
    fail<ShapeError>("{}: weight {}, input {} expects [{}, out / groups, kernel_h, kernel_w]{}", name, weight.shape(),
                     x.shape(), x.size(3), groups > 1 ? fmt::format(" in {} groups", groups) : "");
  }
  const std::int64_t out = weight.size(1) * groups;
  if (bias.defined() && (bias.dtype() != Dtype::f32 || !(bias.shape() == Shape{out}))) {
    fail<ShapeError>("{}: bias {} {}, weight {} expects f32 [{}]", name, bias.dtype(), bias.shape(), weight.shape(),
                     out);
  }
  const auto size = [](std::int64_t in, std::int64_t s, std::int64_t p, std::int64_t d, std::int64_t k,
                       std::int64_t o) { return (in - 1) * s - 2 * p + d * (k - 1) + o + 1; };
  const kernels::Conv2d shape{.n = x.size(0),
                              .h = size(x.size(1), stride.h, padding.h, dilation.h, weight.size(2), more.h),
                              .w = size(x.size(2), stride.w, padding.w, dilation.w, weight.size(3), more.w),
                              .in = out,
                              .out = x.size(3),
                              .kernel_h = weight.size(2),
                              .kernel_w = weight.size(3),
                              .stride_h = stride.h,
                              .stride_w = stride.w,
                              .padding_h = padding.h,
                              .padding_w = padding.w,
                              .dilation_h = dilation.h,
                              .dilation_w = dilation.w,
                              .groups = groups};
  if (shape.h < 1 || shape.w < 1) {
    fail<ShapeError>("{}: input {} gives {} x {} with weight {} and padding {} x {}", name, x.shape(), shape.h, shape.w,
                     weight.shape(), padding.h, padding.w);
  }
  return shape;
}

/// y [rows, columns] += bias.
template <class T>
void add_bias(T* y, const float* bias, std::int64_t rows, std::int64_t columns) {
  parallel_for(rows, std::max<std::int64_t>(1, 8192 / columns), [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      for (std::int64_t c = 0; c < columns; ++c) {
        y[i * columns + c] = kernels::narrowed<T>(kernels::widened(y[i * columns + c]) + bias[c]);
      }
    }
  });
}

}  // namespace

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTranspose2dOptions& options) {
  const kernels::Conv2d shape = checked(x, weight, bias, options);
  const std::int64_t places = shape.n * shape.h * shape.w;
  Tensor y = empty({shape.n, shape.h, shape.w, shape.in}, x.dtype());
  detail::with_type(x.dtype(), [&]<class T>() {
    if (places == 0) return;
    kernels::conv2d_backward_data(shape, x.data<T>(), weight.data<T>(), y.mutable_data<T>());
    if (bias.defined()) add_bias(y.mutable_data<T>(), bias.data<float>(), places, shape.in);
  });
  return record(
      {"conv_transpose2d",
       {{"stride", {shape.stride_h, shape.stride_w}},
        {"padding", {shape.padding_h, shape.padding_w}},
        {"output_padding", {options.output_padding.h, options.output_padding.w}},
        {"dilation", {shape.dilation_h, shape.dilation_w}},
        {"groups", shape.groups}}},
      y, {x, weight, bias},
      [=, x_shape = x.shape(), x = save(x, {1}), weight = save(weight, {0})](const Tensor& dy, Gradients& gradients) {
        detail::with_type(dy.dtype(), [&]<class T>() {
          if (gradients.wants(0)) {
            Tensor dx = empty(x_shape, dy.dtype());
            if (places > 0) {
              kernels::conv2d(shape, dy.data<T>(), weight->data<T>(), nullptr, dx.mutable_data<T>());
            }
            gradients.give(0, std::move(dx));
          }
          detail::write_gradient<T>(gradients, 1, [&]<class G>(G* dw, bool accumulate) {
            kernels::conv2d_backward_weights(shape, dy.data<T>(), x->data<T>(), dw, accumulate);
          });
          detail::write_gradient<float>(gradients, 2, [&]<class>(float* db, bool accumulate) {
            kernels::sum_rows(dy.data<T>(), places, shape.in, db, accumulate);
          });
        });
      });
}

Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const ConvTranspose1dOptions& options) {
  constexpr const char* name = "conv_transpose1d";
  detail::require_float(name, "input", x);
  detail::require_alike(name, "weight", weight, "input", x);
  if (x.rank() != 3 || weight.rank() != 3) {
    fail<ShapeError>("{}: input {} and weight {}, expected [N, L, in] and [in, out / groups, k]", name, x.shape(),
                     weight.shape());
  }
  const auto& [stride, padding, output_padding, dilation, groups] = options;
  const Tensor y = conv_transpose2d(reshape(x, {x.size(0), 1, x.size(1), x.size(2)}),
                                    reshape(weight, {weight.size(0), weight.size(1), 1, weight.size(2)}), bias,
                                    {{1, stride}, {0, padding}, {0, output_padding}, {1, dilation}, groups});
  return reshape(y, {y.size(0), y.size(2), y.size(3)});
}

}  // namespace temper
