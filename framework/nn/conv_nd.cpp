#include <temper/nn/conv_nd.hpp>

#include <temper/nn/init.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::nn {

namespace {

Tensor optional(const Parameter& parameter) { return parameter.defined() ? parameter.value() : Tensor(); }

/// Weight [first, second / groups, kernel...] and bias [out], initialized by the weight's fan-in as in PyTorch.
struct Initialized {
  Parameter weight, bias;
};
Initialized initialized(const char* layer, std::int64_t first, std::int64_t second, std::int64_t out,
                        std::span<const std::int64_t> kernel, std::int64_t groups, bool with_bias) {
  std::int64_t taps = 1;
  bool positive = first > 0 && second > 0 && groups > 0;
  for (const std::int64_t size : kernel) {
    taps *= size;
    positive = positive && size > 0;
  }
  if (!positive || first % groups != 0 || second % groups != 0) {
    fail<ValueError>(
        "{}: {} and {} channels, kernel [{}], {} groups; expected at least 1 of each, and that the groups "
        "divide the channels",
        layer, first, second, fmt::join(kernel, ", "), groups);
  }
  std::vector<std::int64_t> sizes = {first, second / groups};
  sizes.insert(sizes.end(), kernel.begin(), kernel.end());
  const std::int64_t fan_in = second / groups * taps;
  Initialized result;
  result.weight = Parameter(fan_in_uniform(Shape(std::span<const std::int64_t>(sizes)), fan_in), Role::weight);
  if (with_bias) result.bias = Parameter(fan_in_uniform({out}, fan_in), Role::bias);
  return result;
}

std::string described(const char* layer, const Parameter& weight, std::int64_t groups, bool transposed) {
  const Shape shape = weight.shape();
  const std::int64_t second = shape[1] * groups;
  return fmt::format("{}({}, {}, kernel {})", layer, transposed ? shape[0] : second, transposed ? second : shape[0],
                     fmt::join(shape.begin() + 2, shape.end(), " x "));
}

}  // namespace

Conv1d::Conv1d(std::int64_t in, std::int64_t out, Conv1dLayerOptions options) : options_(options) {
  const std::int64_t kernel[] = {options.kernel};
  auto made = initialized("Conv1d", out, in, out, kernel, options.groups, options.bias);
  weight = made.weight;
  bias = made.bias;
}
void Conv1d::members(Members& members) const {
  members("weight", weight);
  members("bias", bias);
}
std::string Conv1d::description() const { return described("Conv1d", weight, options_.groups, false); }
Tensor Conv1d::forward(const Tensor& x) const {
  return conv1d(x, weight, optional(bias),
                {.stride = options_.stride,
                 .padding = options_.padding,
                 .dilation = options_.dilation,
                 .groups = options_.groups});
}

Conv3d::Conv3d(std::int64_t in, std::int64_t out, Conv3dLayerOptions options) : options_(options) {
  const std::int64_t kernel[] = {options.kernel.d, options.kernel.h, options.kernel.w};
  auto made = initialized("Conv3d", out, in, out, kernel, options.groups, options.bias);
  weight = made.weight;
  bias = made.bias;
}
void Conv3d::members(Members& members) const {
  members("weight", weight);
  members("bias", bias);
}
std::string Conv3d::description() const { return described("Conv3d", weight, options_.groups, false); }
Tensor Conv3d::forward(const Tensor& x) const {
  return conv3d(x, weight, optional(bias), {options_.stride, options_.padding, options_.dilation, options_.groups});
}

ConvTranspose2d::ConvTranspose2d(std::int64_t in, std::int64_t out, ConvTranspose2dLayerOptions options)
    : options_(options) {
  const std::int64_t kernel[] = {options.kernel.h, options.kernel.w};
  auto made = initialized("ConvTranspose2d", in, out, out, kernel, options.groups, options.bias);
  weight = made.weight;
  bias = made.bias;
}
void ConvTranspose2d::members(Members& members) const {
  members("weight", weight);
  members("bias", bias);
}
std::string ConvTranspose2d::description() const { return described("ConvTranspose2d", weight, options_.groups, true); }
Tensor ConvTranspose2d::forward(const Tensor& x) const {
  return conv_transpose2d(
      x, weight, optional(bias),
      {options_.stride, options_.padding, options_.output_padding, options_.dilation, options_.groups});
}

ConvTranspose1d::ConvTranspose1d(std::int64_t in, std::int64_t out, ConvTranspose1dLayerOptions options)
    : options_(options) {
  const std::int64_t kernel[] = {options.kernel};
  auto made = initialized("ConvTranspose1d", in, out, out, kernel, options.groups, options.bias);
  weight = made.weight;
  bias = made.bias;
}
void ConvTranspose1d::members(Members& members) const {
  members("weight", weight);
  members("bias", bias);
}
std::string ConvTranspose1d::description() const { return described("ConvTranspose1d", weight, options_.groups, true); }
Tensor ConvTranspose1d::forward(const Tensor& x) const {
  return conv_transpose1d(
      x, weight, optional(bias),
      {options_.stride, options_.padding, options_.output_padding, options_.dilation, options_.groups});
}

}  // namespace temper::nn
