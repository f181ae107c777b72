#pragma once

#include <temper/nn/module.hpp>

namespace temper::nn {

struct GroupNormLayerOptions {
  float eps = 1e-5f;
  bool affine = true;  ///< with weight and bias
};

/// Normalizes each group of channels of each example: x [N, ..., C]. Parameters weight and bias [C].
class GroupNorm : public Layer {
 public:
  /// Throws: ValueError unless the groups divide the channels, and both are positive.
  GroupNorm(std::int64_t groups, std::int64_t channels, GroupNormLayerOptions options = {});

  void members(Members& members) const override;
  std::string description() const override;

  Parameter weight, bias;  ///< undefined unless affine

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  std::int64_t groups_, channels_;
  float eps_;
};

/// GroupNorm with a group for each channel; without parameters by default, as in PyTorch.
class InstanceNorm : public GroupNorm {
 public:
  explicit InstanceNorm(std::int64_t channels, GroupNormLayerOptions options = {.affine = false})
      : GroupNorm(channels, channels, options) {}
};

}  // namespace temper::nn
