#pragma once

#include <cstdint>

#include <temper/tensor/tensor.hpp>

namespace temper {

struct GroupNormOptions {
  float eps = 1e-5f;
};

/// (x - mean) / sqrt(variance + eps) * weight + bias, with the statistics of each group of neighbouring channels of
/// each example, over all its positions: x [N, ..., C] f32 or bf16, weight and bias [C] f32 or undefined. Throws:
/// ShapeError when the shapes or the dtypes do not fit; ValueError when the groups do not divide the channels, and for
/// a negative eps. Source: Wu, He, "Group normalization" (2018).
Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight = {}, const Tensor& bias = {},
                  const GroupNormOptions& options = {});

/// group_norm with a group for each channel. Throws: as group_norm.
/// Source: Ulyanov et al., "Instance normalization: the missing ingredient for fast stylization" (2016).
Tensor instance_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                     const GroupNormOptions& options = {});

}  // namespace temper
