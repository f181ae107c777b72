// Operations on images, which are [N, H, W, C] here and [N, C, H, W] in ONNX: transposed before and after. Of two
// transposes that undo each other, as between two convolutions, nothing is left.

#include <algorithm>

#include <temper/autograd/ops/arrange.hpp>
#include <temper/autograd/ops/interpolate.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/ops/shape.hpp>

#include "framework/io/onnx/export_internal.hpp"

namespace temper::detail::onnx {

namespace {

Value channels_first(const Value& x) { return transpose(x, {0, 3, 1, 2}); }
Value channels_last(const Value& x) { return transpose(x, {0, 2, 3, 1}); }

Integers twice(Integers both) {
  both.insert(both.end(), both.begin(), both.end());
  return both;
}

Value conv(const Step& s) {
  return channels_last(s.graph().node("Conv", {channels_first(s.in(0)), s.in(1), s.in(2)},
                                      {{"strides", s.integers("stride")},
                                       {"pads", twice(s.integers("padding"))},
                                       {"dilations", s.integers("dilation")},
                                       {"group", s.integer("groups")}}));
}

Value conv_transpose(const Step& s) {
  return channels_last(s.graph().node("ConvTranspose", {channels_first(s.in(0)), s.in(1), s.in(2)},
                                      {{"strides", s.integers("stride")},
                                       {"pads", twice(s.integers("padding"))},
                                       {"output_padding", s.integers("output_padding")},
                                       {"dilations", s.integers("dilation")},
                                       {"group", s.integer("groups")}}));
}

/// Paddings around an image, before both axes and after both, so that the windows give exactly the sizes of y.
Integers pads(const Step& s, const Integers& dilation) {
  const Integers kernel = s.integers("kernel"), stride = s.integers("stride");
  Integers all = twice(s.integers("padding"));
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t in = s.fixed(s.shape_of()[i + 1]), out = s.fixed(s.shape()[i + 1]);
    const std::int64_t reach = dilation[i] * (kernel[i] - 1) + 1;
    all[i + 2] = std::max<std::int64_t>(0, (out - 1) * stride[i] + reach - in - all[i]);
  }
  return all;
}

Value max_pool(const Step& s) {
  const Integers dilation = s.integers("dilation");
  return channels_last(s.graph().node("MaxPool", {channels_first(s.in())},
                                      {{"kernel_shape", s.integers("kernel")},
                                       {"strides", s.integers("stride")},
                                       {"pads", pads(s, dilation)},
                                       {"dilations", dilation}}));
}

Value avg_pool(const Step& s) {
  return channels_last(s.graph().node("AveragePool", {channels_first(s.in())},
                                      {{"kernel_shape", s.integers("kernel")},
                                       {"strides", s.integers("stride")},
                                       {"pads", pads(s, {1, 1})},
                                       {"count_include_pad", s.integer("count_padding")}}));
}

Value adaptive_avg_pool(const Step& s) {
  Integers kernel;
  for (const std::size_t axis : {1u, 2u}) {
    const std::int64_t in = s.fixed(s.shape_of()[axis]), out = s.fixed(s.shape()[axis]);
    if (in % out != 0) refuse(s.name(), "has windows of different sizes, which ONNX lacks");
    kernel.push_back(in / out);
  }
  return channels_last(
      s.graph().node("AveragePool", {channels_first(s.in())}, {{"kernel_shape", kernel}, {"strides", kernel}}));
}

/// Along one axis each pixel is a sum of pixels times weights: a product with the matrix of them, or a choice of
/// pixels.
Value resize(const Step& s) {
  const auto axis = s.integer("axis");
  const std::int64_t in = s.fixed(s.shape_of()[static_cast<std::size_t>(axis)]),
                     out = s.fixed(s.shape()[static_cast<std::size_t>(axis)]);
  const InterpolateOptions options{static_cast<Interpolation>(s.integer("mode")), s.integer("align_corners") != 0};
  // What happens to the columns of the identity.
  const Tensor weights = interpolate(eye(in).view({1, in, 1, in}), {out, 1}, options).view({out, in});
  if (options.mode == Interpolation::nearest) {
    return s.graph().node("Gather", {s.in(), s.graph().constant(argmax(weights))}, {{"axis", axis}});
  }
  const Value matrix = s.graph().constant(weights);
  if (axis == 2) return apply("MatMul", matrix, s.in());
  const Sizes& shape = s.shape_of();
  const Value rows = reshape(s.in(), {shape[0], shape[1], {s.fixed(shape[2]) * s.fixed(shape[3]), 0}});
  return reshape(apply("MatMul", matrix, rows), s.shape());
}

}  // namespace

void add_images(Emitters& emitters) {
  emitters["conv2d"] = conv;
  emitters["conv_transpose2d"] = conv_transpose;
  emitters["max_pool2d"] = max_pool;
  emitters["max_pool2d_relu"] = [](const Step& s) { return apply("Relu", max_pool(s)); };
  emitters["avg_pool2d"] = avg_pool;
  emitters["adaptive_avg_pool2d"] = adaptive_avg_pool;
  emitters["interpolate"] = resize;
}

}  // namespace temper::detail::onnx
