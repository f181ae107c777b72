#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <temper/nn/conv.hpp>
#include <temper/nn/linear.hpp>
#include <temper/nn/norm.hpp>

namespace temper::models {

/// The first layers of a residual network.
enum class ResNetStem {
  small,    ///< a 3x3 convolution, for images of about 32 x 32
  imagenet  ///< a 7x7 convolution and 3x3 max pooling, both of stride 2, for images of about 224 x 224
};

/// The architecture of a residual network. The default is ResNet-20.
struct ResNetConfig {
  std::vector<std::int64_t> blocks = {3, 3, 3};  ///< number of basic blocks in each stage
  std::int64_t width = 16;                       ///< channels of the first stage; they double with each further stage
  std::int64_t channels = 3;                     ///< of the images
  std::int64_t classes = 10;
  ResNetStem stem = ResNetStem::small;
  bool zero_init = false;  ///< initialize the last norm's gain of each block to 0: the block is the identity at first
  /// Activation checkpointing: keep only the input of each block and recompute the block in backward; see recompute().
  bool recompute = false;

  friend bool operator==(const ResNetConfig&, const ResNetConfig&) = default;
};

/// The networks of section 4.2 of the paper, whose depth is 6n + 2: 20, 32, 44, 56, 110.
/// Throws: ValueError for any other depth.
ResNetConfig resnet_cifar(int depth);
/// ResNet-18 of section 4.1 for 1000 classes, with the names, shapes and results of torchvision's.
ResNetConfig resnet18();

/// Two 3x3 convolutions with batch norm, whose output is added to the input. If the shapes differ, the input goes
/// through a 1x1 convolution with batch norm first ("option B" of the paper).
class BasicBlock : public nn::Layer {
 public:
  BasicBlock(std::int64_t in, std::int64_t out, std::int64_t stride);

  void members(nn::Members& members) const override;
  std::string description() const override { return "BasicBlock"; }

  nn::Conv2d conv1;
  nn::BatchNorm2d bn1;
  nn::Conv2d conv2;
  nn::BatchNorm2d bn2;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  std::optional<nn::Conv2d> shortcut_;
  std::optional<nn::BatchNorm2d> shortcut_norm_;
};

/// A residual network of basic blocks: images [N, H, W, channels] to logits [N, classes]. Parameters and buffers have
/// the names that torchvision gives them ("layer1.0.conv1.weight", "layer2.0.downsample.1.running_var", "fc.bias").
/// Source: He, Zhang, Ren, Sun, "Deep residual learning for image recognition" (2015).
class ResNet : public nn::Layer {
 public:
  /// Throws: ValueError for a configuration without a stage, or with an empty one.
  explicit ResNet(const ResNetConfig& config = {});

  void members(nn::Members& members) const override;
  std::string description() const override;
  const ResNetConfig& config() const { return config_; }

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  ResNetConfig config_;
  nn::Conv2d conv1_;
  nn::BatchNorm2d bn1_;
  std::vector<std::vector<BasicBlock>> stages_;
  nn::Linear fc_;
};

}  // namespace temper::models
