#pragma once

#include <cstdint>

#include <temper/nn/sequential.hpp>

namespace temper::models {

/// Sizes of a small convolutional network.
struct CnnConfig {
  std::int64_t size = 28;     ///< height and width of the images, divisible by 4
  std::int64_t channels = 1;  ///< of the images
  std::int64_t width1 = 32;
  std::int64_t width2 = 64;
  std::int64_t hidden = 128;
  std::int64_t classes = 10;
};

/// Two 3x3 convolutions, each with ReLU and 2x2 pooling, then two linear layers.
/// Input: images [N, size, size, channels]; output: logits [N, classes].
nn::Sequential cnn(const CnnConfig& config = {});

}  // namespace temper::models
