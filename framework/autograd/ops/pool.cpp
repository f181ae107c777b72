#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/pool.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/buffer.hpp>

#include "framework/autograd/ops/spatial_internal.hpp"
#include "framework/kernels/pool.hpp"
#include "framework/kernels/pool_dilated.hpp"

namespace temper {

namespace {

/// How many windows there are along an axis.
std::int64_t windows(std::int64_t size, std::int64_t reach, std::int64_t stride, const Padding& padding,
                     bool ceil_mode) {
  const std::int64_t room = size + padding.before + padding.after - reach, count = room / stride + 1;
  // None begins behind the image.
  return ceil_mode && room % stride != 0 && count * stride < size + padding.before ? count + 1 : count;
}

kernels::Pool2d check(const char* operation, const Tensor& x, const Pair2& kernel, const Pair2& stride_option,
                      const Padding2& padding, bool ceil_mode, const Pair2& dilation = 1) {
  detail::check_image(operation, x);
  detail::check_at_least(operation, "kernel", kernel, 1);
  const Pair2 stride = stride_option == Pair2(0) ? kernel : stride_option;
  detail::check_at_least(operation, "stride", stride, 1);
  for (const Pair2 side : {Pair2(padding.h.before, padding.w.before), Pair2(padding.h.after, padding.w.after)}) {
    detail::check_at_least(operation, "padding", side, 0);
    if (side.h > kernel.h / 2 || side.w > kernel.w / 2) {
      fail<ValueError>("{}: padding {} x {}, expected at most half of the kernel {} x {}", operation, side.h, side.w,
                       kernel.h, kernel.w);
    }
  }
  detail::check_at_least(operation, "dilation", dilation, 1);
  detail::check_window(operation, x, kernel, padding, dilation);
  return {.n = x.size(0),
          .h = x.size(1),
          .w = x.size(2),
          .channels = x.size(3),
          .kernel_h = kernel.h,
          .kernel_w = kernel.w,
          .stride_h = stride.h,
          .stride_w = stride.w,
          .padding_h = padding.h.before,
          .padding_w = padding.w.before,
          .out_h = windows(x.size(1), dilation.h * (kernel.h - 1) + 1, stride.h, padding.h, ceil_mode),
          .out_w = windows(x.size(2), dilation.w * (kernel.w - 1) + 1, stride.w, padding.w, ceil_mode)};
}

/// max_pool2d with a distance between the elements of a window.
Tensor dilated_max_pool(const Operation& operation, const Tensor& x, const kernels::Pool2d& shape,
                        const Pair2& dilation) {
  const Tensor numbers = detail::converted(x, Dtype::f32);
  Tensor y = empty({shape.n, shape.out_h, shape.out_w, shape.channels}), which;
  if (recording({x})) which = empty(y.shape(), Dtype::i64);
  kernels::max_pool2d_dilated(shape, dilation.h, dilation.w, numbers.data<float>(), y.mutable_data<float>(),
                              detail::mutable_data_or_null<std::int64_t>(which));
  return record(operation, detail::converted(y, x.dtype()), {x},
                [which, shape, x_shape = x.shape()](const Tensor& dy, Gradients& gradients) {
                  const Tensor slopes = detail::converted(dy, Dtype::f32);
                  Tensor dx = empty(x_shape);
                  kernels::max_pool2d_dilated_backward(shape, slopes.data<float>(), which.data<std::int64_t>(),
                                                       dx.mutable_data<float>());
                  gradients.give(0, dx);
                });
}

/// How many of a window's elements lie in the padded image, along one axis.
std::int64_t covered(std::int64_t window, std::int64_t kernel, std::int64_t stride, std::int64_t padded) {
  return std::min(kernel, padded - window * stride);
}

/// What the means of windows that reach out of the padded image have to be multiplied by: [out_h, out_w, 1], or
/// undefined when there are none.
Tensor overhang(const kernels::Pool2d& s, const Padding2& padding) {
  const std::int64_t padded_h = s.h + padding.h.before + padding.h.after,
                     padded_w = s.w + padding.w.before + padding.w.after;
  if (covered(s.out_h - 1, s.kernel_h, s.stride_h, padded_h) == s.kernel_h &&
      covered(s.out_w - 1, s.kernel_w, s.stride_w, padded_w) == s.kernel_w) {
    return {};
  }
  Tensor factors = empty({s.out_h, s.out_w, 1});
  float* to = factors.mutable_data<float>();
  for (std::int64_t row = 0; row < s.out_h; ++row) {
    for (std::int64_t column = 0; column < s.out_w; ++column) {
      const std::int64_t area =
          covered(row, s.kernel_h, s.stride_h, padded_h) * covered(column, s.kernel_w, s.stride_w, padded_w);
      *to++ = static_cast<float>(s.kernel_h * s.kernel_w) / static_cast<float>(area);
    }
  }
  return factors;
}

Tensor max_pool(const char* name, const Tensor& x, const PoolOptions& options, bool relu) {
  kernels::Pool2d shape =
      check(name, x, options.kernel, options.stride, options.padding, options.ceil_mode, options.dilation);
  shape.relu = relu;
  if (!(options.dilation == Pair2(1))) {
    const Tensor y = dilated_max_pool({"max_pool2d",
                                       {{"kernel", {shape.kernel_h, shape.kernel_w}},
                                        {"stride", {shape.stride_h, shape.stride_w}},
                                        {"padding", {shape.padding_h, shape.padding_w}},
                                        {"dilation", {options.dilation.h, options.dilation.w}}}},
                                      x, shape, options.dilation);
    return relu ? temper::relu(y) : y;
  }
  Tensor y = empty({shape.n, shape.out_h, shape.out_w, shape.channels}, x.dtype());
  detail::Buffer which;
  if (recording({x})) which = detail::Buffer(static_cast<std::size_t>(y.numel() * shape.number_bytes()));
  detail::with_type(x.dtype(), [&]<class T>() {
    kernels::max_pool2d(shape, x.data<T>(), y.mutable_data<T>(), which ? which.data() : nullptr);
  });
  return record({name,
                 {{"kernel", {shape.kernel_h, shape.kernel_w}},
                  {"stride", {shape.stride_h, shape.stride_w}},
                  {"padding", {shape.padding_h, shape.padding_w}},
                  {"dilation", {options.dilation.h, options.dilation.w}}}},
                y, {x}, [which, shape, x_shape = x.shape()](const Tensor& dy, Gradients& gradients) {
                  Tensor dx = empty(x_shape, dy.dtype());
                  detail::with_type(dy.dtype(), [&]<class T>() {
                    kernels::max_pool2d_backward(shape, dy.data<T>(), which.data(), dx.mutable_data<T>());
                  });
                  gradients.give(0, std::move(dx));
                });
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const PoolOptions& options) { return max_pool("max_pool2d", x, options, false); }
Tensor max_pool2d_relu(const Tensor& x, const PoolOptions& options) {
  return max_pool("max_pool2d_relu", x, options, true);
}

Tensor avg_pool2d(const Tensor& x, const AvgPoolOptions& options) {
  kernels::Pool2d shape = check("avg_pool2d", x, options.kernel, options.stride, options.padding, options.ceil_mode);
  shape.count_padding = options.count_include_pad;
  Tensor y = empty({shape.n, shape.out_h, shape.out_w, shape.channels}, x.dtype());
  detail::with_type(x.dtype(), [&]<class T>() { kernels::avg_pool2d(shape, x.data<T>(), y.mutable_data<T>()); });
  y = record({"avg_pool2d",
              {{"kernel", {shape.kernel_h, shape.kernel_w}},
               {"stride", {shape.stride_h, shape.stride_w}},
               {"padding", {shape.padding_h, shape.padding_w}},
               {"count_padding", shape.count_padding}}},
             y, {x}, [shape, x_shape = x.shape()](const Tensor& dy, Gradients& gradients) {
               Tensor dx = empty(x_shape, dy.dtype());
               detail::with_type(dy.dtype(), [&]<class T>() {
                 kernels::avg_pool2d_backward(shape, dy.data<T>(), dx.mutable_data<T>());
               });
               gradients.give(0, std::move(dx));
             });
  if (!options.ceil_mode || !options.count_include_pad) return y;
  const Tensor factors = overhang(shape, options.padding);
  return factors.defined() ? y * detail::converted(factors, y.dtype()) : y;
}

Tensor adaptive_avg_pool2d(const Tensor& x, Pair2 output) {
  detail::check_image("adaptive_avg_pool2d", x);
  detail::require("adaptive_avg_pool2d", "input", x);
  detail::check_at_least("adaptive_avg_pool2d", "output", output, 1);
  const kernels::AdaptivePool2d shape{x.size(0), x.size(1), x.size(2), x.size(3), output.h, output.w};
  Tensor y = empty({shape.n, output.h, output.w, shape.channels});
  kernels::adaptive_avg_pool2d(shape, x.data<float>(), y.mutable_data<float>());
  return record("adaptive_avg_pool2d", y, {x}, [shape, x_shape = x.shape()](const Tensor& dy, Gradients& gradients) {
    Tensor dx = empty(x_shape);
    kernels::adaptive_avg_pool2d_backward(shape, dy.data<float>(), dx.mutable_data<float>());
    gradients.give(0, std::move(dx));
  });
}

Tensor global_avg_pool2d(const Tensor& x) {
  detail::check_image("global_avg_pool2d", x);
  return mean(x, {1, 2});
}

}  // namespace temper
