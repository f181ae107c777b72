#include <temper/nn/conv.hpp>

#include <temper/nn/init.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/nn/optional_internal.hpp"
#include "framework/nn/text_internal.hpp"

namespace temper::nn {

Conv2d::Conv2d(std::int64_t in, std::int64_t out, Conv2dLayerOptions options) : options_(options) {
  const auto [kernel, stride, padding, dilation, groups, with_bias] = options;
  if (in < 1 || out < 1 || kernel.h < 1 || kernel.w < 1 || groups < 1) {
    fail<ValueError>("Conv2d: {} to {} channels, kernel {}, {} groups; expected at least 1 of each", in, out,
                     text(kernel), groups);
  }
  if (in % groups != 0 || out % groups != 0) {
    fail<ValueError>("Conv2d: {} groups do not divide {} input and {} output channels", groups, in, out);
  }
  const std::int64_t fan_in = in / groups * kernel.h * kernel.w;
  weight = Parameter(fan_in_uniform({out, in / groups, kernel.h, kernel.w}, fan_in), Role::weight);
  if (with_bias) bias = Parameter(fan_in_uniform({out}, fan_in), Role::bias);
}

void Conv2d::members(Members& members) const {
  members("weight", weight);
  members("bias", bias);
}

std::string Conv2d::description() const {
  std::string out = fmt::format("Conv2d({}, {}, kernel {}", weight.shape()[1] * options_.groups, weight.shape()[0],
                                text(options_.kernel));
  if (!(options_.stride == Pair2(1))) out += ", stride " + text(options_.stride);
  const Padding2& padding = options_.padding;
  if (padding.even()) {
    if (!(padding == Padding2(0))) out += ", padding " + text({padding.h.before, padding.w.before});
  } else {
    out += fmt::format(", padding {}, {} and {}, {}", padding.h.before, padding.h.after, padding.w.before,
                       padding.w.after);
  }
  if (!(options_.dilation == Pair2(1))) out += ", dilation " + text(options_.dilation);
  if (options_.groups != 1) out += fmt::format(", {} groups", options_.groups);
  return out + (bias.defined() ? ")" : ", no bias)");
}

Tensor Conv2d::forward(const Tensor& x) const { return with_weight(x, weight); }
Tensor Conv2d::with_weight(const Tensor& x, const Tensor& other_weight) const {
  const Conv2dOptions options{options_.stride, options_.padding, options_.dilation, options_.groups};
  return conv2d(x, other_weight, optional(bias), options);
}

}  // namespace temper::nn
