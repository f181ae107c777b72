#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <temper/tensor/tensor.hpp>

namespace temper::models {

struct DiffusionOptions {
  std::int64_t steps = 1000;  ///< from an image to noise
};
/// How images are made of noise.
struct DiffusionSampling {
  std::int64_t steps = 50;  ///< of all, at equal distances
  /// Noise added in each step: 1 as in DDPM, 0 none, which is DDIM. Fewer steps want less.
  double noise = 0.0;
};

/// Denoising diffusion: images x are mixed with noise by sqrt(a_t) x + sqrt(1 - a_t) noise, where a_t falls from nearly
/// 1 to nearly 0, and a network learns to tell the noise. Images have values around -1 to 1. Sources: Ho, Jain, Abbeel,
/// "Denoising diffusion probabilistic models" (2020); Nichol, Dhariwal, "Improved denoising diffusion probabilistic
/// models" (2021) for the cosine schedule of a_t; Song, Meng, Ermon, "Denoising diffusion implicit models" (2020) for
/// sampling in fewer steps.
class Diffusion {
 public:
  /// Throws: ValueError below 2 steps.
  explicit Diffusion(const DiffusionOptions& options = {});

  /// From an image to noise.
  std::int64_t steps() const { return options_.steps; }
  /// a_t, the share of the image's variance, of step t from 0 on. Throws: ValueError for a step that is none.
  double share(std::int64_t t) const;

  /// Step times i64 [N], images and noise [N, ...] of one shape: images mixed with noise.
  /// Throws: ShapeError, and ValueError as share.
  Tensor mix(const Tensor& images, const Tensor& noise, const Tensor& times) const;

  /// The noise in images x [N, ...] of steps i64 [N], as a network tells it.
  using Denoiser = std::function<Tensor(const Tensor& x, const Tensor& times)>;
  /// The mean squared error of the noise that a network finds, at steps drawn at random; a scalar.
  Tensor loss(const Denoiser& network, const Tensor& images) const;
  /// New images of a shape [N, ...], from noise. Unrecorded. Throws: ValueError for steps out of range.
  Tensor sample(const Denoiser& network, const Shape& shape, const DiffusionSampling& sampling = {}) const;

 private:
  DiffusionOptions options_;
  std::vector<double> shares_;
};

}  // namespace temper::models
