#pragma once

#include <cstdint>

#include <temper/autograd/ops/spatial.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

enum class Interpolation {
  nearest,   ///< the pixel floor(i * in / out), as in PyTorch
  bilinear,  ///< the mean of the four nearest pixels, weighted by distance
  bicubic    ///< cubic convolution of the sixteen nearest pixels, with a = -0.75. Source: Keys (1981)
};

struct InterpolateOptions {
  Interpolation mode = Interpolation::nearest;
  /// Whether the centres of the corner pixels of input and output coincide. By default pixels are areas: output i has
  /// its centre at (i + 0.5) * in / out - 0.5. Ignored by nearest.
  bool align_corners = false;
};

/// Images of another size: x [N, H, W, C] f32 or bf16 to [N, H', W', C]. Throws: ShapeError for other inputs;
/// ValueError for an output below 1 x 1.
Tensor interpolate(const Tensor& x, Pair2 output, const InterpolateOptions& options = {});

/// [N, H, W, r * r * C] to [N, r * H, r * W, C]; channel c * r * r + i * r + j becomes channel c of row i and column j
/// of each pixel's square, as in PyTorch. pixel_unshuffle is the way back. Throws: ShapeError when the sizes do not
/// divide; ValueError for a factor below 1.
/// Source: Shi et al., "Real-time single image and video super-resolution using sub-pixel convolution" (2016).
Tensor pixel_shuffle(const Tensor& x, std::int64_t factor);
Tensor pixel_unshuffle(const Tensor& x, std::int64_t factor);

}  // namespace temper
