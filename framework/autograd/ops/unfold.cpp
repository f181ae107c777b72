#include <temper/autograd/ops/unfold.hpp>

#include "framework/autograd/ops/spatial_internal.hpp"
#include "framework/kernels/unfold.hpp"

namespace temper {

using kernels::Windows2d;

namespace {

Windows2d windows(const char* name, const Shape& image, const UnfoldOptions& options) {
  const auto& [kernel, dilation, padding, stride] = options;
  detail::check_at_least(name, "kernel", kernel, 1);
  detail::check_at_least(name, "dilation", dilation, 1);
  detail::check_at_least(name, "padding", padding, 0);
  detail::check_at_least(name, "stride", stride, 1);
  const auto count = [](std::int64_t size, std::int64_t taps, std::int64_t gap, std::int64_t around,
                        std::int64_t step) {
    const std::int64_t room = size + 2 * around - gap * (taps - 1) - 1;
    return room < 0 ? 0 : room / step + 1;
  };
  const Windows2d shape{.n = image[0],
                        .h = image[1],
                        .w = image[2],
                        .channels = image[3],
                        .kernel_h = kernel.h,
                        .kernel_w = kernel.w,
                        .stride_h = stride.h,
                        .stride_w = stride.w,
                        .padding_h = padding.h,
                        .padding_w = padding.w,
                        .dilation_h = dilation.h,
                        .dilation_w = dilation.w,
                        .out_h = count(image[1], kernel.h, dilation.h, padding.h, stride.h),
                        .out_w = count(image[2], kernel.w, dilation.w, padding.w, stride.w)};
  if (shape.out_h < 1 || shape.out_w < 1) {
    fail<ShapeError>("{}: kernel {} x {} does not fit into images {}", name, kernel.h, kernel.w, image);
  }
  return shape;
}

Tensor unfolded(const Windows2d& s, const Tensor& x) {
  Tensor y = empty({s.n, s.out_h * s.out_w, s.features()}, x.dtype());
  detail::with_type(x.dtype(), [&]<class T>() { kernels::unfold(s, x.data<T>(), y.mutable_data<T>()); });
  return y;
}
Tensor folded(const Windows2d& s, const Tensor& x) {
  Tensor y = empty({s.n, s.h, s.w, s.channels}, x.dtype());
  detail::with_type(x.dtype(), [&]<class T>() { kernels::fold(s, x.data<T>(), y.mutable_data<T>()); });
  return y;
}

}  // namespace

Tensor unfold(const Tensor& x, const UnfoldOptions& options) {
  detail::check_image("unfold", x);
  const Windows2d s = windows("unfold", x.shape(), options);
  return record("unfold", unfolded(s, x), {x},
                [s](const Tensor& dy, Gradients& gradients) { gradients.give(0, folded(s, dy)); });
}

Tensor fold(const Tensor& x, Pair2 output, const UnfoldOptions& options) {
  detail::require_float("fold", "input", x);
  detail::check_at_least("fold", "output", output, 1);
  detail::check_at_least("fold", "kernel", options.kernel, 1);
  const std::int64_t taps = options.kernel.h * options.kernel.w;
  if (x.rank() != 3 || x.size(2) == 0 || x.size(2) % taps != 0) {
    fail<ShapeError>("fold: input {}, expected [N, windows, C * {} * {}]", x.shape(), options.kernel.h,
                     options.kernel.w);
  }
  const Windows2d s = windows("fold", {x.size(0), output.h, output.w, x.size(2) / taps}, options);
  if (x.size(1) != s.out_h * s.out_w) {
    fail<ShapeError>("fold: input {} has {} windows, an image of {} x {} has {} x {}", x.shape(), x.size(1), output.h,
                     output.w, s.out_h, s.out_w);
  }
  return record("fold", folded(s, x), {x},
                [s](const Tensor& dy, Gradients& gradients) { gradients.give(0, unfolded(s, dy)); });
}

}  // namespace temper
