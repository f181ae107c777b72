#include <algorithm>
#include <utility>

#include "framework/kernels/conv_internal.hpp"

namespace temper::kernels {

namespace {

using dnnl::memory;
using onednn::Op;
using onednn::Program;

/// The arguments that oneDNN's three convolutions share. The weights' gradient is summed in f32 for either type.
struct Descriptors {
  Descriptors(const Conv2d& s, onednn::Type type)
      : x(onednn::nhwc(s.n, s.in, s.h, s.w, type)),
        y(onednn::nhwc(s.n, s.out, s.out_h(), s.out_w(), type)),
        plain_weight(onednn::dense(weight_dims(s), type)),
        any_weight(weight_dims(s), type, memory::format_tag::any),
        any_gradient(weight_dims(s), onednn::Type::f32, memory::format_tag::any),
        bias(onednn::dense({s.out})),
        strides{s.stride_h, s.stride_w},
        dilation{s.dilation_h - 1, s.dilation_w - 1},
        padding{s.padding_h, s.padding_w} {}

  static memory::dims weight_dims(const Conv2d& s) {
    if (s.groups == 1) return {s.out, s.in, s.kernel_h, s.kernel_w};
    return {s.groups, s.out / s.groups, s.in / s.groups, s.kernel_h, s.kernel_w};
  }

  auto forward(bool has_bias, int number) const {
    constexpr auto kind = dnnl::prop_kind::forward_training;
    // Not automatic: that may choose Winograd's algorithm, which is less accurate.
    constexpr auto algorithm = dnnl::algorithm::convolution_direct;
    const auto attributes = onednn::attributes();
    return has_bias
               ? onednn::describe_one<dnnl::convolution_forward>(number, attributes, kind, algorithm, x, any_weight,
                                                                 bias, y, strides, dilation, padding, padding)
               : onednn::describe_one<dnnl::convolution_forward>(number, attributes, kind, algorithm, x, any_weight, y,
                                                                 strides, dilation, padding, padding);
  }
  auto backward_data(int number) const {
    return onednn::describe_one_backward<dnnl::convolution_backward_data>(
        number, onednn::attributes(), hint(), dnnl::algorithm::convolution_direct, x, any_weight, y, strides, dilation,
        padding, padding);
  }
  auto backward_weights(int number) const {
    return onednn::describe_one_backward<dnnl::convolution_backward_weights>(
        number, onednn::attributes(), hint(), dnnl::algorithm::convolution_direct, x, any_gradient, y, strides,
        dilation, padding, padding);
  }

  /// The forward descriptor that oneDNN asks for when a backward one is made.
  dnnl::convolution_forward::primitive_desc hint() const {
    return onednn::describe<dnnl::convolution_forward>(onednn::attributes(), dnnl::prop_kind::forward_training,
                                                       dnnl::algorithm::convolution_direct, x, any_weight, y, strides,
                                                       dilation, padding, padding);
  }

  memory::desc x, y, plain_weight, any_weight, any_gradient, bias;
  memory::dims strides, dilation, padding;
};

/// The weights in the layout the primitive chose, reordered from an operand if that differs.
int packed(Program& program, int operand, const memory::desc& plain, const memory::desc& wanted) {
  if (wanted == plain) return operand;
  const int weight = program.temporary(wanted);
  program.add_reorder(operand, weight);
  return weight;
}

bool compile_forward(Program& program, const Descriptors& d, bool has_bias, int number) {
  const auto pd = d.forward(has_bias, number);
  if (!pd) return false;
  const int source = program.operand(d.x), plain = program.operand(d.plain_weight);
  const int bias = program.operand(d.bias), result = program.operand(d.y);
  const int weights = packed(program, plain, d.plain_weight, pd->weights_desc());
  std::vector<Program::Argument> arguments = {
      {DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, result}};
  if (has_bias) arguments.push_back({DNNL_ARG_BIAS, bias});
  program.add("convolution", *pd, arguments);
  return true;
}

bool compile_backward_data(Program& program, const Descriptors& d, int number) {
  const auto pd = d.backward_data(number);
  if (!pd) return false;
  const int gradient = program.operand(d.y), plain = program.operand(d.plain_weight), result = program.operand(d.x);
  const int weights = packed(program, plain, d.plain_weight, pd->weights_desc());
  program.add("convolution backward data", *pd,
              {{DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_SRC, result}});
  return true;
}

bool compile_backward_weights(Program& program, const Descriptors& d, const memory::desc& plain, bool accumulate,
                              int number) {
  const auto pd = d.backward_weights(number);
  if (!pd) return false;
  const int source = program.operand(d.x), gradient = program.operand(d.y), result = program.operand(plain);
  const bool direct = !accumulate && pd->diff_weights_desc() == plain;
  const int weights = direct ? result : program.temporary(pd->diff_weights_desc());
  program.add("convolution backward weights", *pd,
              {{DNNL_ARG_SRC, source}, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_WEIGHTS, weights}});
  if (!direct) program.add_reorder(weights, result, accumulate);
  return true;
}

/// Whether some output along an axis sees nothing but padding. oneDNN 3.7 crashes on such a convolution.
bool window_in_padding(Index side, Index out, Index kernel, Index stride, Index padding, Index dilation) {
  for (Index i = 0; i < out; ++i) {
    bool inside = false;
    for (Index tap = 0; tap < kernel; ++tap) {
      const Index at = i * stride - padding + tap * dilation;
      inside = inside || (at >= 0 && at < side);
    }
    if (!inside) return true;
  }
  return false;
}

/// What a trial may take: some milliseconds.
constexpr double most_flops = 0x1p26;

/// A smaller height or width of the image, for which the output's leaves the same remainder by `block`.
Index shrunk_side(Index side, Index out, Index stride, Index limit, Index block) {
  const Index smaller = side - (out - onednn::shrunk(out, limit, block)) * stride;
  return smaller > 0 ? smaller : side;
}

}  // namespace

onednn::Key ConvTask::key() const {
  const Conv2d& s = shape_;
  return onednn::Key(
      op_, {s.n, s.h, s.w, s.in, s.out, s.kernel_h, s.kernel_w, s.stride_h, s.stride_w, s.padding_h, s.padding_w,
            s.dilation_h, s.dilation_w, s.groups, flag_, static_cast<Index>(from_), static_cast<Index>(to_)});
}

ConvTask ConvTask::small() const {
  ConvTask result = *this;
  Conv2d& s = result.shape_;
  const Index in = s.in / s.groups, out = s.out / s.groups;
  const auto shrink_channels = [&](Index limit, Index block) {
    s.groups = onednn::shrunk(shape_.groups, limit, block);
    s.in = s.groups * onednn::shrunk(in, limit, block);
    s.out = s.groups * onednn::shrunk(out, limit, block);
  };
  const auto shrink_width = [&](Index limit, Index block) {
    s.w = shrunk_side(shape_.w, shape_.out_w(), s.stride_w, limit, block);
  };
  s.n = std::min<Index>(s.n, 2);
  s.h = shrunk_side(shape_.h, shape_.out_h(), s.stride_h, 8, 4);
  shrink_width(64, 32);
  shrink_channels(128, 64);
  // Blocks are seldom larger than 16 pixels and 32 channels; where all those above would take long, these must do.
  if (s.flops() > most_flops) shrink_width(32, 16);
  if (s.flops() > most_flops) shrink_channels(64, 32);
  return result;
}

bool ConvTask::compile(Program& program, int number) const {
  const Conv2d& s = shape_;
  if (window_in_padding(s.h, s.out_h(), s.kernel_h, s.stride_h, s.padding_h, s.dilation_h) ||
      window_in_padding(s.w, s.out_w(), s.kernel_w, s.stride_w, s.padding_w, s.dilation_w)) {
    return false;
  }
  Descriptors d(shape_, from_);
  switch (op_) {
    case Op::conv_forward: return compile_forward(program, d, flag_, number);
    case Op::conv_backward_data: return compile_backward_data(program, d, number);
    case Op::conv_backward_weights: {
      const memory::desc plain = onednn::dense(Descriptors::weight_dims(shape_), to_);
      return compile_backward_weights(program, d, plain, flag_, number);
    }
    case Op::matmul: break;
  }
  return false;
}

}  // namespace temper::kernels
