#include "framework/kernels/conv.hpp"

#include <algorithm>

#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/onednn.hpp"

namespace temper::kernels {

namespace {

using dnnl::memory;
using onednn::Key;
using onednn::Op;
using onednn::Program;

/// The arguments that oneDNN's three convolutions share.
struct Descriptors {
  explicit Descriptors(const Conv2d& s)
      : x(onednn::nhwc(s.n, s.in, s.h, s.w)),
        y(onednn::nhwc(s.n, s.out, s.out_h(), s.out_w())),
        plain_weight(onednn::dense(weight_dims(s))),
        any_weight(weight_dims(s), memory::data_type::f32, memory::format_tag::any),
        bias(onednn::dense({s.out})),
        strides{s.stride_h, s.stride_w},
        dilation{s.dilation_h - 1, s.dilation_w - 1},
        padding{s.padding_h, s.padding_w} {}

  static memory::dims weight_dims(const Conv2d& s) {
    if (s.groups == 1) return {s.out, s.in, s.kernel_h, s.kernel_w};
    return {s.groups, s.out / s.groups, s.in / s.groups, s.kernel_h, s.kernel_w};
  }

  auto forward(bool has_bias) const {
    constexpr auto kind = dnnl::prop_kind::forward_training;
    // Not automatic: that may choose Winograd's algorithm, which is less accurate.
    constexpr auto algorithm = dnnl::algorithm::convolution_direct;
    const auto attributes = onednn::attributes();
    return has_bias ? onednn::describe<dnnl::convolution_forward>(attributes, kind, algorithm, x, any_weight, bias, y,
                                                                  strides, dilation, padding, padding)
                    : onednn::describe<dnnl::convolution_forward>(attributes, kind, algorithm, x, any_weight, y,
                                                                  strides, dilation, padding, padding);
  }

  memory::desc x, y, plain_weight, any_weight, bias;
  memory::dims strides, dilation, padding;
};

Key key(Op op, const Conv2d& s, bool flag) {
  return Key(op, {s.n, s.h, s.w, s.in, s.out, s.kernel_h, s.kernel_w, s.stride_h, s.stride_w, s.padding_h, s.padding_w,
                  s.dilation_h, s.dilation_w, s.groups, flag});
}

/// The weights as the primitive wants them, packed from an operand.
int packed(Program& program, const memory::desc& plain, const memory::desc& wanted) {
  const int operand = program.operand(plain);
  if (wanted == plain) return operand;
  const int weight = program.temporary(wanted);
  program.add_reorder(operand, weight);
  return weight;
}

}  // namespace

void conv2d(const Conv2d& shape, const float* x, const float* weight, const float* bias, float* y) {
  if (shape.n == 0) return;
  const bool has_bias = bias != nullptr;
  onednn::run(key(Op::conv_forward, shape, has_bias), {weight, x, bias, y}, [&](Program& program) {
    const Descriptors descriptors(shape);
    const auto pd = descriptors.forward(has_bias);
    const int weights = packed(program, descriptors.plain_weight, pd.weights_desc());
    const int source = program.operand(descriptors.x), biases = program.operand(descriptors.bias);
    const int result = program.operand(descriptors.y);
    if (has_bias) {
      program.add(
          "convolution", pd,
          {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, biases}, {DNNL_ARG_DST, result}});
    } else {
      program.add("convolution", pd, {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, result}});
    }
  });
}

void conv2d_backward_data(const Conv2d& shape, const float* dy, const float* weight, float* dx) {
  if (shape.n == 0) return;
  onednn::run(key(Op::conv_backward_data, shape, false), {weight, dy, dx}, [&](Program& program) {
    Descriptors d(shape);
    if (mutant(Mutant::conv_dx_swaps_padding)) std::swap(d.padding[0], d.padding[1]);
    const auto pd = onednn::describe_backward<dnnl::convolution_backward_data>(
        onednn::attributes(), d.forward(false), dnnl::algorithm::convolution_direct, d.x, d.any_weight, d.y, d.strides,
        d.dilation, d.padding, d.padding);
    const int weights = packed(program, d.plain_weight, pd.weights_desc());
    const int gradient = program.operand(d.y), result = program.operand(d.x);
    program.add("convolution backward data", pd,
                {{DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_SRC, result}});
  });
}

void conv2d_backward_weights(const Conv2d& shape, const float* x, const float* dy, float* dw, bool accumulate) {
  if (mutant(Mutant::conv_dw_overwrites)) accumulate = false;
  if (shape.n == 0) {
    if (!accumulate) std::fill_n(dw, shape.weights(), 0.0f);
    return;
  }
  onednn::run(key(Op::conv_backward_weights, shape, accumulate), {x, dy, dw}, [&](Program& program) {
    Descriptors d(shape);
    if (mutant(Mutant::conv_dw_swaps_dilation)) std::swap(d.dilation[0], d.dilation[1]);
    const auto pd = onednn::describe_backward<dnnl::convolution_backward_weights>(
        onednn::attributes(), d.forward(false), dnnl::algorithm::convolution_direct, d.x, d.any_weight, d.y, d.strides,
        d.dilation, d.padding, d.padding);
    const int source = program.operand(d.x), gradient = program.operand(d.y), result = program.operand(d.plain_weight);
    const bool direct = !accumulate && pd.diff_weights_desc() == d.plain_weight;
    const int weights = direct ? result : program.temporary(pd.diff_weights_desc());
    program.add("convolution backward weights", pd,
                {{DNNL_ARG_SRC, source}, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_WEIGHTS, weights}});
    if (!direct) program.add_reorder(weights, result, accumulate);
  });
}

}  // namespace temper::kernels
