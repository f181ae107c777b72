#pragma once

#include <cstdint>
#include <memory>

#include <temper/nn/layers.hpp>

namespace temper::models {

/// Sizes of a small U-Net.
struct UnetConfig {
  std::int64_t images = 1;     ///< channels of an image
  std::int64_t channels = 16;  ///< at full size, a multiple of 8; twice as many at a half and a quarter of it
};

/// A residual block that knows the step: two 3x3 convolutions, each after group norm and SiLU; the vector of the step
/// is added between them. x [N, H, W, in], step [N, time] -> [N, H, W, out].
class UnetBlock : public nn::Module {
 public:
  /// Throws: ValueError unless `in` and `out` are multiples of 8.
  UnetBlock(std::int64_t in, std::int64_t out, std::int64_t time);

  /// See above.
  Tensor operator()(const Tensor& x, const Tensor& step) const;
  void members(nn::Members& members) const override;

 private:
  nn::GroupNorm norm1_, norm2_;
  nn::Conv2d conv1_, conv2_;
  nn::Linear time_;
  std::unique_ptr<nn::Conv2d> shortcut_;  // null where in and out are equal
};

/// The network of a denoising diffusion, without attention: it halves images twice and goes back, and what it saw on
/// the way down is put beside what comes up. Its last convolution begins at zero, as in the paper's code. Sources:
/// Ronneberger, Fischer, Brox, "U-Net" (2015); Ho, Jain, Abbeel, "Denoising diffusion probabilistic models" (2020).
class Unet : public nn::Module {
 public:
  /// Throws: ValueError unless the channels are a multiple of 8, and all sizes are positive.
  explicit Unet(const UnetConfig& config = {});

  /// The noise in images [N, H, W, channels], H and W multiples of 4, of steps i64 [N].
  /// Throws: ShapeError for other shapes.
  Tensor operator()(const Tensor& x, const Tensor& times) const;
  void members(nn::Members& members) const override;

 private:
  UnetConfig config_;
  nn::Linear time1_, time2_;
  nn::Conv2d first_;
  UnetBlock whole_, half_, quarter_, middle_, up_half_, up_whole_;
  nn::Conv2d down1_, down2_;
  nn::GroupNorm norm_;
  nn::Conv2d last_;
};

/// Sines and cosines of steps i64 [N] at `features` / 2 frequencies each, from 1 down to 1 / 10000: [N, features].
/// Source: Vaswani et al., "Attention is all you need" (2017). Throws: ValueError unless the features are even and at
/// least 4.
Tensor step_embedding(const Tensor& times, std::int64_t features);

}  // namespace temper::models
