#include <temper/autograd/ops/conv_nd.hpp>

#include <algorithm>
#include <vector>

#include <temper/autograd/ops/conv.hpp>

#include "framework/autograd/ops/ops_internal.hpp"

namespace temper {

Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv1dOptions& options) {
  constexpr const char* name = "conv1d";
  detail::require_float(name, "input", x);
  detail::require_float(name, "weight", weight);
  const auto& [stride, padding, dilation, groups] = options;
  if (x.rank() != 3 || weight.rank() != 3) {
    fail<ShapeError>("{}: input {} and weight {}, expected [N, L, C] and [out, C / groups, k]", name, x.shape(),
                     weight.shape());
  }
  if (padding.before < 0 || padding.after < 0) {
    fail<ValueError>("{}: padding {}, {}, expected at least 0", name, padding.before, padding.after);
  }
  const bool even = padding.before == padding.after;
  const Tensor padded = even ? x : pad(x, {{0, 0}, padding, {0, 0}});
  const Tensor y = conv2d(reshape(padded, {x.size(0), 1, padded.size(1), x.size(2)}),
                          reshape(weight, {weight.size(0), weight.size(1), 1, weight.size(2)}), bias,
                          {{1, stride}, {0, even ? padding.before : 0}, {1, dilation}, groups});
  return reshape(y, {y.size(0), y.size(2), y.size(3)});
}

Tensor conv3d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv3dOptions& options) {
  constexpr const char* name = "conv3d";
  detail::require_float(name, "input", x);
  detail::require_float(name, "weight", weight);
  const auto& [stride, padding, dilation, groups] = options;
  if (x.rank() != 5 || weight.rank() != 5) {
    fail<ShapeError>("{}: input {} and weight {}, expected [N, D, H, W, C] and [out, C / groups, kd, kh, kw]", name,
                     x.shape(), weight.shape());
  }
  if (stride.d < 1 || padding.d < 0 || dilation.d < 1 || groups < 1) {
    fail<ValueError>("{}: along the depth stride {}, padding {}, dilation {}; {} groups", name, stride.d, padding.d,
                     dilation.d, groups);
  }
  if (x.size(4) != weight.size(1) * groups) {
    fail<ShapeError>("{}: input {} has {} channels, weight {} expects {}", name, x.shape(), x.size(4), weight.shape(),
                     weight.size(1) * groups);
  }
  const std::int64_t taps = weight.size(2), reach = dilation.d * (taps - 1) + 1,
                     padded_depth = x.size(1) + 2 * padding.d;
  if (taps < 1 || reach > padded_depth) {
    fail<ShapeError>("{}: weight {} does not fit into the depth of input {}, {} with its padding", name, weight.shape(),
                     x.shape(), padded_depth);
  }
  const std::int64_t n = x.size(0), h = x.size(2), w = x.size(3), channels = x.size(4);
  const std::int64_t depth = (padded_depth - reach) / stride.d + 1;
  // Padding behind, so that every slice below can take depth * stride.d places.
  const std::int64_t more = std::max<std::int64_t>(0, reach - 1 + depth * stride.d - padded_depth);
  const Tensor padded =
      padding.d + more == 0 ? x : pad(x, {{0, 0}, {padding.d, padding.d + more}, {0, 0}, {0, 0}, {0, 0}});
  std::vector<Tensor> slices;
  for (std::int64_t tap = 0; tap < taps; ++tap) {
    Tensor slice_of_tap = slice(padded, 1, tap * dilation.d, tap * dilation.d + depth * stride.d);
    if (stride.d > 1) slice_of_tap = slice(reshape(slice_of_tap, {n, depth, stride.d, h * w * channels}), 2, 0, 1);
    slices.push_back(reshape(slice_of_tap, {n * depth * h * w, groups, channels / groups}));
  }
  const Tensor images = reshape(stack(slices, 2), {n * depth, h, w, taps * channels});
  const Tensor flat = reshape(permute(weight, {0, 2, 1, 3, 4}),
                              {weight.size(0), taps * weight.size(1), weight.size(3), weight.size(4)});
  const Tensor y =
      conv2d(images, flat, bias, {{stride.h, stride.w}, {padding.h, padding.w}, {dilation.h, dilation.w}, groups});
  return reshape(y, {n, depth, y.size(1), y.size(2), y.size(3)});
}

}  // namespace temper
