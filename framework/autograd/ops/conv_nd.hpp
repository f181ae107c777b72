#pragma once

#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/ops/spatial.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

struct Conv1dOptions {
  std::int64_t stride = 1;
  Padding padding = {0, 0};  ///< zeros before and after; {dilation * (k - 1), 0} is a causal convolution
  std::int64_t dilation = 1, groups = 1;
};

/// One-dimensional cross-correlation: x [N, L, C], weight [out, C / groups, k], bias [out] or undefined -> [N, L', out]
/// with L' = floor((L + padding - dilation (k - 1) - 1) / stride) + 1. f32 or bf16, as conv2d.
/// Throws: ShapeError when the shapes or the dtypes do not fit, ValueError for options out of range.
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Conv1dOptions& options = {});

/// One number for the axes of a volume, or one for each: depth, rows, columns.
struct Triple3 {
  template <std::integral Number>
  constexpr Triple3(Number all) : d(all), h(all), w(all) {}
  constexpr Triple3(std::int64_t its_d, std::int64_t its_h, std::int64_t its_w) : d(its_d), h(its_h), w(its_w) {}

  std::int64_t d, h, w;

  friend bool operator==(const Triple3&, const Triple3&) = default;
};

struct Conv3dOptions {
  Triple3 stride = 1;
  Triple3 padding = 0;
  Triple3 dilation = 1;
  std::int64_t groups = 1;
};

/// Three-dimensional cross-correlation: x [N, D, H, W, C], weight [out, C / groups, kd, kh, kw], bias [out] or
/// undefined
/// -> [N, D', H', W', out]. f32 or bf16, as conv2d. Computed by one conv2d over the kd slices under the kernel,
/// concatenated as channels, which copies x kd times. Throws: as conv1d.
Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, const Conv3dOptions& options = {});

}  // namespace temper
