#include <temper/nn/group_norm.hpp>

#include <temper/autograd/ops/group_norm.hpp>

#include "framework/core/format_internal.hpp"
#include "framework/nn/optional_internal.hpp"

namespace temper::nn {

GroupNorm::GroupNorm(std::int64_t groups, std::int64_t channels, GroupNormLayerOptions options)
    : groups_(groups), channels_(channels), eps_(options.eps) {
  if (groups < 1 || channels < 1 || channels % groups != 0) {
    fail<ValueError>("GroupNorm: {} groups do not divide {} channels", groups, channels);
  }
  if (!options.affine) return;
  weight = Parameter(ones({channels}), Role::norm_gain);
  bias = Parameter(zeros({channels}), Role::bias);
}

void GroupNorm::members(Members& members) const {
  members("weight", weight);
  members("bias", bias);
}

std::string GroupNorm::description() const { return fmt::format("GroupNorm({}, {})", groups_, channels_); }

Tensor GroupNorm::forward(const Tensor& x) const {
  if (x.rank() < 2 || x.size(-1) != channels_) {
    fail<ShapeError>("GroupNorm: input {}, expected [N, ..., {}]", x.shape(), channels_);
  }
  return group_norm(x, groups_, optional(weight), optional(bias), {.eps = eps_});
}

}  // namespace temper::nn
