#include <temper/nn/conv_nd.hpp>

#include <fmt/ranges.h>

#include <temper/nn/init.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/nn/optional_internal.hpp"

namespace temper::nn {

ConvolutionLayer::ConvolutionLayer(const char* name, bool transposed, std::int64_t in, std::int64_t out,
                                   std::initializer_list<std::int64_t> kernel, std::int64_t groups, bool with_bias)
    : name_(name), transposed_(transposed), groups_(groups) {
  const std::int64_t first = transposed ? in : out, second = transposed ? out : in;
  std::int64_t window = 1;
  bool positive = in > 0 && out > 0 && groups > 0;
  for (const std::int64_t size : kernel) {
    window *= size;
    positive = positive && size > 0;
  }
  if (!positive || in % groups != 0 || out % groups != 0) {
    fail<ValueError>(
        "{}: {} and {} channels, kernel [{}], {} groups; expected at least 1 of each, and that the groups "
        "divide the channels",
        name, first, second, fmt::join(kernel, ", "), groups);
  }
  std::vector<std::int64_t> sizes = {first, second / groups};
  sizes.insert(sizes.end(), kernel.begin(), kernel.end());
  const std::int64_t fan_in = second / groups * window;  // as PyTorch counts it, also if transposed
  weight = Parameter(fan_in_uniform(Shape(std::span<const std::int64_t>(sizes)), fan_in), Role::weight);
  if (with_bias) bias = Parameter(fan_in_uniform({out}, fan_in), Role::bias);
}

void ConvolutionLayer::members(Members& members) const {
  members("weight", weight);
  members("bias", bias);
}

std::string ConvolutionLayer::description() const {
  const Shape shape = weight.shape();
  const std::int64_t second = shape[1] * groups_;
  return fmt::format("{}({}, {}, kernel {})", name_, transposed_ ? shape[0] : second, transposed_ ? second : shape[0],
                     fmt::join(shape.begin() + 2, shape.end(), " x "));
}

Conv1d::Conv1d(std::int64_t in, std::int64_t out, Conv1dLayerOptions options)
    : ConvolutionLayer("Conv1d", false, in, out, {options.kernel}, options.groups, options.bias), options_(options) {}
Tensor Conv1d::forward(const Tensor& x) const {
  return conv1d(x, weight, optional(bias),
                {.stride = options_.stride,
                 .padding = options_.padding,
                 .dilation = options_.dilation,
                 .groups = options_.groups});
}

Conv3d::Conv3d(std::int64_t in, std::int64_t out, Conv3dLayerOptions options)
    : ConvolutionLayer("Conv3d", false, in, out, {options.kernel.d, options.kernel.h, options.kernel.w}, options.groups,
                       options.bias),
      options_(options) {}
Tensor Conv3d::forward(const Tensor& x) const {
  return conv3d(x, weight, optional(bias), {options_.stride, options_.padding, options_.dilation, options_.groups});
}

ConvTranspose2d::ConvTranspose2d(std::int64_t in, std::int64_t out, ConvTranspose2dLayerOptions options)
    : ConvolutionLayer("ConvTranspose2d", true, in, out, {options.kernel.h, options.kernel.w}, options.groups,
                       options.bias),
      options_(options) {}
Tensor ConvTranspose2d::forward(const Tensor& x) const {
  return conv_transpose2d(
      x, weight, optional(bias),
      {options_.stride, options_.padding, options_.output_padding, options_.dilation, options_.groups});
}

ConvTranspose1d::ConvTranspose1d(std::int64_t in, std::int64_t out, ConvTranspose1dLayerOptions options)
    : ConvolutionLayer("ConvTranspose1d", true, in, out, {options.kernel}, options.groups, options.bias),
      options_(options) {}
Tensor ConvTranspose1d::forward(const Tensor& x) const {
  return conv_transpose1d(
      x, weight, optional(bias),
      {options_.stride, options_.padding, options_.output_padding, options_.dilation, options_.groups});
}

}  // namespace temper::nn
