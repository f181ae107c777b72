#pragma once

// The kernels that exist once per instruction set, as a table of function pointers. All work on contiguous f32 and on
// the calling thread alone; the functions in framework/kernels split the work over threads.

#include <cstddef>
#include <cstdint>

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
  count
};
enum class Binary : std::uint8_t { add, sub, mul, div, count };

struct Pool2d;

struct IsaTable {
  // elementwise.cpp
  void (*unary[static_cast<std::size_t>(Unary::count)])(const float* x, float* y, Index n);
  /// dx = dy * f'(x)
  void (*unary_backward[static_cast<std::size_t>(Unary::count)])(const float* x, const float* dy, float* dx, Index n);
  /// An operand with stride 0 is one number for all n.
  void (*binary[static_cast<std::size_t>(Binary::count)])(const float* a, Index stride_a, const float* b,
                                                          Index stride_b, float* y, Index n);
  /// y += x
  void (*accumulate)(float* y, const float* x, Index n);
  /// y = a * x + b
  void (*affine)(const float* x, float a, float b, float* y, Index n);

  // pool.cpp; forward: rows begin to end of all images' outputs, backward: images begin to end
  void (*max_pool)(const Pool2d& shape, Index begin, Index end, const float* x, float* y, float* which);
  void (*max_pool_backward)(const Pool2d& shape, Index begin, Index end, const float* dy, const float* which,
                            float* dx);
  void (*avg_pool)(const Pool2d& shape, Index begin, Index end, const float* x, float* y);
  void (*avg_pool_backward)(const Pool2d& shape, Index begin, Index end, const float* dy, float* dx);
};

}  // namespace temper::kernels
