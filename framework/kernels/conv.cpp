#include "framework/kernels/conv.hpp"

#include <algorithm>
#include <type_traits>

#include <temper/core/trace.hpp>

#include "framework/core/mutants_internal.hpp"
#include "framework/kernels/onednn.hpp"

namespace temper::kernels {

namespace {

using dnnl::memory;
using onednn::Key;
using onednn::Op;
using onednn::Program;

/// The arguments that oneDNN's three convolutions share. The weights' gradient is added up in f32 whatever they are.
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

  memory::desc x, y, plain_weight, any_weight, any_gradient, bias;
  memory::dims strides, dilation, padding;
};

template <class T, class G = T>
Key key(Op op, const Conv2d& s, bool flag) {
  return Key(op, {s.n, s.h, s.w, s.in, s.out, s.kernel_h, s.kernel_w, s.stride_h, s.stride_w, s.padding_h, s.padding_w,
                  s.dilation_h, s.dilation_w, s.groups, flag, static_cast<Index>(onednn::type_of<T>),
                  static_cast<Index>(onednn::type_of<G>)});
}

template <class T>
Descriptors descriptors(const Conv2d& s) {
  if (std::is_same_v<T, BFloat16>) onednn::require_bf16("conv2d");
  return {s, onednn::type_of<T>};
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

template <class T>
void conv2d(const Conv2d& shape, const T* x, const T* weight, const float* bias, T* y) {
  if (detail::tracing()) detail::trace_flops(shape.flops());
  if (shape.n == 0) return;
  const bool has_bias = bias != nullptr;
  onednn::run(key<T>(Op::conv_forward, shape, has_bias), {weight, x, bias, y}, [&](Program& program) {
    const Descriptors d = descriptors<T>(shape);
    const auto pd = d.forward(has_bias);
    const int weights = packed(program, d.plain_weight, pd.weights_desc());
    const int source = program.operand(d.x), biases = program.operand(d.bias);
    const int result = program.operand(d.y);
    if (has_bias) {
      program.add(
          "convolution", pd,
          {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_BIAS, biases}, {DNNL_ARG_DST, result}});
    } else {
      program.add("convolution", pd, {{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, result}});
    }
  });
}

template <class T>
void conv2d_backward_data(const Conv2d& shape, const T* dy, const T* weight, T* dx) {
  if (detail::tracing()) detail::trace_flops(shape.flops());
  if (shape.n == 0) return;
  onednn::run(key<T>(Op::conv_backward_data, shape, false), {weight, dy, dx}, [&](Program& program) {
    Descriptors d = descriptors<T>(shape);
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

template <class T, class G>
void conv2d_backward_weights(const Conv2d& shape, const T* x, const T* dy, G* dw, bool accumulate) {
  if (detail::tracing()) detail::trace_flops(shape.flops());
  if (mutant(Mutant::conv_dw_overwrites)) accumulate = false;
  if (shape.n == 0) {
    if (!accumulate) std::fill_n(dw, shape.weights(), G{});
    return;
  }
  onednn::run(key<T, G>(Op::conv_backward_weights, shape, accumulate), {x, dy, dw}, [&](Program& program) {
    Descriptors d = descriptors<T>(shape);
    if (mutant(Mutant::conv_dw_swaps_dilation)) std::swap(d.dilation[0], d.dilation[1]);
    const memory::desc plain = onednn::dense(Descriptors::weight_dims(shape), onednn::type_of<G>);
    const auto pd = onednn::describe_backward<dnnl::convolution_backward_weights>(
        onednn::attributes(), d.forward(false), dnnl::algorithm::convolution_direct, d.x, d.any_gradient, d.y,
        d.strides, d.dilation, d.padding, d.padding);
    const int source = program.operand(d.x), gradient = program.operand(d.y), result = program.operand(plain);
    const bool direct = !accumulate && pd.diff_weights_desc() == plain;
    const int weights = direct ? result : program.temporary(pd.diff_weights_desc());
    program.add("convolution backward weights", pd,
                {{DNNL_ARG_SRC, source}, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_WEIGHTS, weights}});
    if (!direct) program.add_reorder(weights, result, accumulate);
  });
}

template void conv2d(const Conv2d&, const float*, const float*, const float*, float*);
template void conv2d(const Conv2d&, const BFloat16*, const BFloat16*, const float*, BFloat16*);
template void conv2d_backward_data(const Conv2d&, const float*, const float*, float*);
template void conv2d_backward_data(const Conv2d&, const BFloat16*, const BFloat16*, BFloat16*);
template void conv2d_backward_weights(const Conv2d&, const float*, const float*, float*, bool);
template void conv2d_backward_weights(const Conv2d&, const BFloat16*, const BFloat16*, float*, bool);
template void conv2d_backward_weights(const Conv2d&, const BFloat16*, const BFloat16*, BFloat16*, bool);

}  // namespace temper::kernels
