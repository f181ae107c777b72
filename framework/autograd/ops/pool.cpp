#include <temper/autograd/ops/pool.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/buffer.hpp>

#include "framework/autograd/ops/spatial_internal.hpp"
#include "framework/kernels/pool.hpp"

namespace temper {

namespace {

kernels::Pool2d check(const char* operation, const Tensor& x, const Pair2& kernel, const Pair2& stride_option,
                      const Pair2& padding) {
  detail::check_image(operation, x);
  detail::check_at_least(operation, "kernel", kernel, 1);
  const Pair2 stride = stride_option == Pair2(0) ? kernel : stride_option;
  detail::check_at_least(operation, "stride", stride, 1);
  detail::check_at_least(operation, "padding", padding, 0);
  if (padding.h > kernel.h / 2 || padding.w > kernel.w / 2) {
    fail<ValueError>("{}: padding {} x {}, expected at most half of the kernel {} x {}", operation, padding.h,
                     padding.w, kernel.h, kernel.w);
  }
  detail::check_window(operation, x, kernel, padding, 1);
  return {.n = x.size(0),
          .h = x.size(1),
          .w = x.size(2),
          .channels = x.size(3),
          .kernel_h = kernel.h,
          .kernel_w = kernel.w,
          .stride_h = stride.h,
          .stride_w = stride.w,
          .padding_h = padding.h,
          .padding_w = padding.w,
          .out_h = (x.size(1) + 2 * padding.h - kernel.h) / stride.h + 1,
          .out_w = (x.size(2) + 2 * padding.w - kernel.w) / stride.w + 1};
}

Tensor max_pool(const char* name, const Tensor& x, const PoolOptions& options, bool relu) {
  kernels::Pool2d shape = check(name, x, options.kernel, options.stride, options.padding);
  shape.relu = relu;
  Tensor y = empty({shape.n, shape.out_h, shape.out_w, shape.channels}, x.dtype());
  detail::Buffer which;
  if (recording({x})) which = detail::Buffer(static_cast<std::size_t>(y.numel() * shape.number_bytes()));
  detail::with_type(x.dtype(), [&]<class T>() {
    kernels::max_pool2d(shape, x.data<T>(), y.mutable_data<T>(), which ? which.data() : nullptr);
  });
  return record(name, y, {x}, [which, shape, x_shape = x.shape()](const Tensor& dy, Gradients& gradients) {
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
  kernels::Pool2d shape = check("avg_pool2d", x, options.kernel, options.stride, options.padding);
  shape.count_padding = options.count_include_pad;
  Tensor y = empty({shape.n, shape.out_h, shape.out_w, shape.channels}, x.dtype());
  detail::with_type(x.dtype(), [&]<class T>() { kernels::avg_pool2d(shape, x.data<T>(), y.mutable_data<T>()); });
  return record("avg_pool2d", y, {x}, [shape, x_shape = x.shape()](const Tensor& dy, Gradients& gradients) {
    Tensor dx = empty(x_shape, dy.dtype());
    detail::with_type(dy.dtype(),
                      [&]<class T>() { kernels::avg_pool2d_backward(shape, dy.data<T>(), dx.mutable_data<T>()); });
    gradients.give(0, std::move(dx));
  });
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
