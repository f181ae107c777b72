#pragma once

// The kernels that exist once per instruction set, as a table of function pointers. All work on contiguous elements and
// on the calling thread alone; the functions in framework/kernels split the work over threads.

#include <cstddef>
#include <cstdint>

#include "framework/core/bfloat16.hpp"

namespace temper::kernels {

using Index = std::int64_t;

enum class Unary : std::uint8_t {
  neg,
  exp,
  log,
  sqrt,
  abs,
  relu,
  gelu,
  gelu_tanh,
  silu,
  sigmoid,
  tanh,
  softplus,
  sin,
  cos,
  tan,
  asin,
  acos,
  atan,
  sinh,
  cosh,
  asinh,
  acosh,
  atanh,
  erf,
  expm1,
  log1p,
  rsqrt,
  reciprocal,
  square,
  sign,
  floor,
  ceil,
  round,
  trunc,
  mish,
  softsign,
  hardswish,
  hardsigmoid,
  count
};
/// Whether the derivative is computed from the output, which the next operation mostly keeps: the input can be freed.
constexpr bool derivative_from_output(Unary op) {
  switch (op) {
    case Unary::exp:
    case Unary::sqrt:
    case Unary::relu:
    case Unary::sigmoid:
    case Unary::tanh:
    case Unary::tan:
    case Unary::rsqrt:
    case Unary::reciprocal: return true;
    default: return false;
  }
}
/// Activations that are fused with the addition of a linear layer's bias.
enum class Activation : std::uint8_t { relu, gelu, gelu_tanh, silu, count };
constexpr Unary function_of(Activation f) {
  constexpr Unary functions[] = {Unary::relu, Unary::gelu, Unary::gelu_tanh, Unary::silu};
  return functions[static_cast<std::size_t>(f)];
}
constexpr bool derivative_from_output(Activation f) { return derivative_from_output(function_of(f)); }
/// Functions of one tensor and two numbers.
enum class Parametric : std::uint8_t {
  leaky_relu,
  clamp,
  over,
  under,
  elu,
  celu,
  softshrink,
  hardshrink,
  threshold,
  count
};
/// `same` is 1 where both are equal or both NaN, else 0.
enum class Binary : std::uint8_t { add, sub, mul, div, maximum, minimum, same, count };
/// Derivatives that no Binary computes. For the other operand of maximum and minimum, swap a and b.
enum class BinaryBackward : std::uint8_t { div_b, maximum_a, minimum_a, count };
enum class Compare : std::uint8_t { equal, not_equal, less, less_equal, count };
enum class PointwiseLoss : std::uint8_t { squared, absolute, huber, bce_with_logits, count };

struct Pool2d;

/// y = (x - mean) * scale + bias, plus the residual unless that is null, then ReLU if asked for.
template <class T>
struct BatchNormPass {
  const T* x;
  const float *mean, *scale, *bias;
  const T* residual;
  bool relu;
};
/// Inputs of a batch norm's backward. y is the output where a ReLU follows, of which dy is the gradient; else null.
template <class T>
struct BatchNormGradient {
  const T *x, *y, *dy;
  const float* mean;
};
struct BatchNormFactors {
  const float *scale, *level, *slope;
};

/// The kernels of elements of type T, float or BFloat16. All compute in float, and round once where they store.
template <class T>
struct StorageTable {
  // elementwise.cpp. An operand with stride 0 is one number for all n.
  void (*to_float)(const T* x, float* y, Index n);
  void (*from_float)(const float* x, T* y, Index n);
  void (*unary[static_cast<std::size_t>(Unary::count)])(const T* x, T* y, Index n);
  /// dx = dy * f'(x); x is the output where derivative_from_output.
  void (*unary_backward[static_cast<std::size_t>(Unary::count)])(const T* x, const T* dy, T* dx, Index n);
  void (*binary[static_cast<std::size_t>(Binary::count)])(const T* a, Index stride_a, const T* b, Index stride_b, T* y,
                                                          Index n);
  void (*parametric[static_cast<std::size_t>(Parametric::count)])(const T* x, float a, float b, T* y, Index n);
  void (*parametric_backward[static_cast<std::size_t>(Parametric::count)])(const T* x, const T* dy, float a, float b,
                                                                           T* dx, Index n);
  void (*binary_backward[static_cast<std::size_t>(BinaryBackward::count)])(const T* a, Index stride_a, const T* b,
                                                                           Index stride_b, const T* dy, Index stride_dy,
                                                                           T* d, Index n);
  /// y += x
  void (*accumulate)(T* y, const T* x, Index n);
  void (*accumulate_in_float)(float* y, const T* x, Index n);
  /// y = a * x + b
  void (*affine)(const T* x, float a, float b, T* y, Index n);
  /// y = f(x + bias) of each row; y may be x, and bias null.
  void (*bias_activation[static_cast<std::size_t>(Activation::count)])(const T* x, const float* bias, Index rows,
                                                                       Index cols, T* y);
  /// dz = dy * f'(x + bias); where derivative_from_output, x is the output and bias null. dz may be dy, and bias null.
  /// sum[cols] = the sum of the rows of dz; it may be null.
  void (*bias_activation_backward[static_cast<std::size_t>(Activation::count)])(const T* x, const float* bias,
                                                                                const T* dy, Index rows, Index cols,
                                                                                T* dz, float* sum);

  // reduce.cpp
  double (*sum)(const T* x, Index n);
  float (*dot)(const T* a, const T* b, Index n);
  /// Whether no number is infinite or NaN.
  bool (*all_finite)(const T* x, Index n);
  /// y[c] = the sum of x[r * stride + c] over 1 to 128 rows.
  void (*sum_rows)(const T* x, Index rows, Index cols, Index stride, float* y);

  // softmax.cpp
  /// y = exp(scale * x - largest), with largest that of scale * x; overwrites x, which y may be. stats gets largest and
  /// 1 / sum(y), before y is rounded. Returns whether all of scale * x is -inf.
  bool (*exponentials)(float* x, Index n, float scale, T* y, float* stats);
  /// y = exp(scale * x - stats[0]) * stats[1], the probabilities, with the stats of `exponentials`;
  /// dx = y * (dy - level) * dscale. y may be x, and dx may be dy.
  void (*attention_backward)(const float* x, const float* dy, Index n, float scale, const float* stats, float level,
                             float dscale, T* y, T* dx);
  /// The largest logit of a row and the sum of exp(x - largest). largest + log(sum) is the log-sum-exp; kept apart,
  /// because with large logits that addition would lose the digits of log(sum).
  void (*log_sum_exp)(const T* x, Index n, float* largest, double* sum);
  /// dx = scale * (exp(x - largest) * inverse_sum - uniform)
  void (*cross_entropy_backward)(const T* x, Index n, float largest, float inverse_sum, float uniform, float scale,
                                 T* dx);
  /// The sum of p * -log softmax(x) over the elements with p != 0; x may be -inf at others. log_sum = log(sum).
  double (*soft_cross_entropy)(const T* x, const float* p, Index n, float largest, float log_sum);
  /// dx = scale * (total * exp(x - largest) * inverse_sum - p)
  void (*soft_cross_entropy_backward)(const T* x, const float* p, Index n, float largest, float inverse_sum,
                                      float total, float scale, T* dx);
  /// dp = scale * -log softmax(x)
  void (*soft_cross_entropy_target)(const T* x, Index n, float largest, float log_sum, float scale, float* dp);

  // norm.cpp. Layer norm of each row. If `mean` is null, the mean is taken as 0, which makes it RMS norm.
  /// Weight and bias may be null. Writes each row's mean and 1 / sqrt(variance + eps).
  void (*norm)(const T* x, Index rows, Index cols, const float* weight, const float* bias, float eps, T* y, float* mean,
               float* inverse);
  /// Any of dx (overwritten, or added to when `accumulate`), dweight and dbias (overwritten) may be null.
  void (*norm_backward)(const T* x, const T* dy, Index rows, Index cols, const float* weight, const float* mean,
                        const float* inverse, T* dx, bool accumulate, float* dweight, float* dbias);
  void (*norm_backward_in_float)(const T* x, const T* dy, Index rows, Index cols, const float* weight,
                                 const float* mean, const float* inverse, float* dx, bool accumulate, float* dweight,
                                 float* dbias);

  // batch_norm.cpp, over rows of `cols` channels
  /// Each column's mean, and the sum of the squared deviations from it.
  void (*column_moments)(const T* x, Index rows, Index cols, float* mean, float* squares);
  void (*batch_norm)(const BatchNormPass<T>& pass, Index rows, Index cols, T* y);
  /// The sums of dz and of dz * (x - mean), where dz is the gradient before ReLU.
  void (*batch_norm_sums)(const BatchNormGradient<T>& gradient, Index rows, Index cols, float* sum, float* product);
  /// dx = scale * (dz - level - (x - mean) * slope); dresidual = dz. Either may be null.
  void (*batch_norm_backward)(const BatchNormGradient<T>& gradient, Index rows, Index cols,
                              const BatchNormFactors& factors, T* dx, T* dresidual);

  // pool.cpp; forward: rows begin to end of all images' outputs, backward: rows of all images
  void (*max_pool)(const Pool2d& shape, Index begin, Index end, const T* x, T* y, std::byte* which);
  void (*max_pool_backward)(const Pool2d& shape, Index begin, Index end, const T* dy, const std::byte* which, T* dx);
  void (*avg_pool)(const Pool2d& shape, Index begin, Index end, const T* x, T* y);
  void (*avg_pool_backward)(const Pool2d& shape, Index begin, Index end, const T* dy, T* dx);

  // random.cpp
  /// y = scale * x where the upper 24 bits of the element's random word are at least the threshold, else 0. x begins
  /// at element 64 * block.
  void (*dropout)(const std::uint32_t* key, const std::uint32_t* nonce, Index block, float threshold, float scale,
                  const T* x, T* y, Index n);
};

/// All kernels of an instruction set: for float, for BFloat16 in `bf16`, and those that exist for float alone.
struct IsaTable : StorageTable<float> {
  StorageTable<BFloat16> bf16;

  // elementwise.cpp
  void (*compare[static_cast<std::size_t>(Compare::count)])(const float* a, Index stride_a, const float* b,
                                                            Index stride_b, bool* y, Index n);
  /// y = condition ? a : b
  void (*choose)(const bool* condition, Index stride_condition, const float* a, Index stride_a, const float* b,
                 Index stride_b, float* y, Index n);

  // reduce.cpp
  /// The largest and smallest of n > 0, NaN when there is one.
  float (*largest)(const float* x, Index n);
  float (*smallest)(const float* x, Index n);
  /// As sum_rows: the largest and the smallest.
  void (*largest_rows)(const float* x, Index rows, Index cols, Index stride, float* y);
  void (*smallest_rows)(const float* x, Index rows, Index cols, Index stride, float* y);

  // softmax.cpp. The axis has n > 0 elements, `stride` apart; `cols` neighbouring lines are done at once: 1 if the
  // stride is 1, else up to `stride`. Returns whether all elements of some line are -inf, which has no softmax.
  bool (*softmax)(const float* x, Index n, Index stride, Index cols, bool log, float* y);
  void (*softmax_backward)(const float* y, const float* dy, Index n, Index stride, Index cols, bool log, float* dx);

  // loss.cpp. `delta` is Huber's; dy has stride 0 or 1.
  void (*pointwise_loss[static_cast<std::size_t>(PointwiseLoss::count)])(const float* x, const float* t, float delta,
                                                                         float* y, Index n);
  /// dx = scale * dy * (derivative by x)
  void (*pointwise_loss_backward[static_cast<std::size_t>(PointwiseLoss::count)])(const float* x, const float* t,
                                                                                  float delta, const float* dy,
                                                                                  Index stride_dy, float scale,
                                                                                  float* dx, Index n);

  // random.cpp
  /// 64 random words: word w of counter 16 * block + c is words[16 * w + c].
  void (*philox_block)(const std::uint32_t* key, const std::uint32_t* nonce, std::uint64_t block, std::uint32_t* words);

  // layout.cpp
  /// y[c * stride_y + r] = x[r * stride_x + c]
  void (*transpose)(const float* x, Index rows, Index cols, Index stride_x, float* y, Index stride_y);

  // product.cpp
  /// y [m, n] += a [m, k] b [k, n]. b and y are dense; element (i, j) of a is a[i * row_a + j * column_a].
  void (*product)(const float* a, Index row_a, Index column_a, const float* b, Index m, Index n, Index k, float* y);
};

}  // namespace temper::kernels
