#pragma once

#include <cstdint>

#include <temper/nn/layers.hpp>

namespace temper::models {

/// Sizes of a variational autoencoder.
struct VaeConfig {
  std::int64_t channels = 32;  ///< of the first convolution; the second one has twice as many
  std::int64_t latent = 16;    ///< numbers that describe an image
};

/// A variational autoencoder of images [N, 28, 28, 1] with values from 0 to 1: two convolutions to the mean and
/// deviation of a normal distribution of `latent` numbers, and two transposed ones back to logits of the pixels.
/// Source: Kingma, Welling, "Auto-encoding variational Bayes" (2013).
class Vae : public nn::Module {
 public:
  /// Throws: ValueError unless all sizes are positive.
  explicit Vae(const VaeConfig& config = {});

  /// What an image is described by: [N, latent] each.
  struct Code {
    Tensor mean, log_variance;  ///< f32 [N, latent]
  };
  /// Of images [N, 28, 28, 1]. Throws: ShapeError for others.
  Code encode(const Tensor& images) const;
  /// Logits of the pixels [N, 28, 28, 1] of codes [N, latent]; their sigmoid is the image.
  Tensor decode(const Tensor& codes) const;
  /// Minus the evidence lower bound, in nats an image, a scalar: cross entropy of the pixels, whose values count as
  /// probabilities, plus the divergence of the codes from the standard normal distribution. Draws a code for each
  /// image. Throws: ShapeError for other images; ValueError for a pixel outside 0 to 1.
  Tensor loss(const Tensor& images) const;
  /// Images [count, 28, 28, 1] of random codes. Unrecorded.
  Tensor sample(std::int64_t count) const;

  void members(nn::Members& members) const override;

 private:
  VaeConfig config_;
  nn::Conv2d down1_, down2_;
  nn::Linear code_;  // mean and log of the variance
  nn::Linear back_;
  nn::ConvTranspose2d up1_, up2_;
};

}  // namespace temper::models
