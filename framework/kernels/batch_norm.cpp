#include "framework/kernels/batch_norm.hpp"

#include <bit>

#include "framework/kernels/onednn.hpp"

namespace temper::kernels {

namespace {

using dnnl::normalization_flags;
using onednn::Key;
using onednn::Op;
using onednn::Program;

Key key(Op op, const BatchNorm& s, bool own_statistics) {
  return Key(op, {s.n, s.h, s.w, s.channels, std::bit_cast<std::int32_t>(s.epsilon), own_statistics});
}

normalization_flags flags(bool own_statistics) {
  const normalization_flags affine = normalization_flags::use_scale | normalization_flags::use_shift;
  return own_statistics ? affine : affine | normalization_flags::use_global_stats;
}

auto describe_forward(const BatchNorm& s, dnnl::prop_kind kind, bool own_statistics) {
  const auto x = onednn::nhwc(s.n, s.channels, s.h, s.w);
  const auto attributes = onednn::attributes();
#if DNNL_VERSION_MAJOR >= 3
  return onednn::describe<dnnl::batch_normalization_forward>(attributes, kind, x, x, s.epsilon, flags(own_statistics));
#else
  return onednn::describe<dnnl::batch_normalization_forward>(attributes, kind, x, s.epsilon, flags(own_statistics));
#endif
}

void forward(const BatchNorm& s, bool own_statistics, const float* x, const float* gain, const float* bias,
             const float* mean, const float* variance, float* y) {
  const Key program_key = key(Op::batch_norm_forward, s, own_statistics);
  onednn::run(program_key, {x, gain, bias, mean, variance, y}, [&](Program& program) {
    const auto image = onednn::nhwc(s.n, s.channels, s.h, s.w);
    const auto row = onednn::dense({s.channels});
    const auto kind = own_statistics ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
    const auto pd = describe_forward(s, kind, own_statistics);
    const int source = program.operand(image), scale = program.operand(row), shift = program.operand(row);
    const int means = program.operand(row), variances = program.operand(row), result = program.operand(image);
    program.add("batch normalization", pd,
                {{DNNL_ARG_SRC, source},
                 {DNNL_ARG_SCALE, scale},
                 {DNNL_ARG_SHIFT, shift},
                 {DNNL_ARG_MEAN, means},
                 {DNNL_ARG_VARIANCE, variances},
                 {DNNL_ARG_DST, result}});
  });
}

}  // namespace

void batch_norm_train(const BatchNorm& shape, const float* x, const float* gain, const float* bias, float* y,
                      float* mean, float* variance) {
  forward(shape, true, x, gain, bias, mean, variance, y);
}

void batch_norm_apply(const BatchNorm& shape, const float* x, const float* gain, const float* bias, const float* mean,
                      const float* variance, float* y) {
  forward(shape, false, x, gain, bias, mean, variance, y);
}

void batch_norm_backward(const BatchNorm& shape, bool own_statistics, const float* x, const float* gain,
                         const float* mean, const float* variance, const float* dy, float* dx, float* dgain,
                         float* dbias) {
  const Key program_key = key(Op::batch_norm_backward, shape, own_statistics);
  onednn::run(program_key, {x, gain, mean, variance, dy, dx, dgain, dbias}, [&](Program& program) {
    const auto image = onednn::nhwc(shape.n, shape.channels, shape.h, shape.w);
    const auto row = onednn::dense({shape.channels});
    const auto hint = describe_forward(shape, dnnl::prop_kind::forward_training, own_statistics);
    const auto attributes = onednn::attributes();
    constexpr auto kind = dnnl::prop_kind::backward;
#if DNNL_VERSION_MAJOR >= 3
    const auto pd = onednn::describe_backward<dnnl::batch_normalization_backward>(
        attributes, hint, kind, image, image, image, shape.epsilon, flags(own_statistics));
#else
    const auto pd = onednn::describe_backward<dnnl::batch_normalization_backward>(
        attributes, hint, kind, image, image, shape.epsilon, flags(own_statistics));
#endif
    const int source = program.operand(image), scale = program.operand(row), means = program.operand(row);
    const int variances = program.operand(row), gradient = program.operand(image), result = program.operand(image);
    const int scale_result = program.operand(row), shift_result = program.operand(row);
    // oneDNN 2 asks for the shift, too, reads nothing of it, and is content with any row.
    program.add("batch normalization backward", pd,
                {{DNNL_ARG_SRC, source},
                 {DNNL_ARG_SCALE, scale},
                 {DNNL_ARG_SHIFT, scale},
                 {DNNL_ARG_MEAN, means},
                 {DNNL_ARG_VARIANCE, variances},
                 {DNNL_ARG_DIFF_DST, gradient},
                 {DNNL_ARG_DIFF_SRC, result},
                 {DNNL_ARG_DIFF_SCALE, scale_result},
                 {DNNL_ARG_DIFF_SHIFT, shift_result}});
  });
}

}  // namespace temper::kernels
