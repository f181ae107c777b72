#include <temper/models/resnet/resnet.hpp>

#include <cmath>

#include <temper/autograd/ops/activation.hpp>
#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/pool.hpp>
#include <temper/autograd/recompute.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::models {

namespace {

/// A convolution with weights of variance 2 / fan_out. It has no bias, as a batch norm follows.
/// Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers" (2015), equation 14.
nn::Conv2d convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
  nn::Conv2d conv(in, out, {.kernel = kernel, .stride = stride, .padding = kernel / 2, .bias = false});
  const double fan_out = static_cast<double>(out * kernel * kernel);
  Tensor(conv.weight.value()).copy_from(normal(conv.weight.shape(), 0.0f, static_cast<float>(std::sqrt(2 / fan_out))));
  return conv;
}

const ResNetConfig& checked(const ResNetConfig& config) {
  if (config.blocks.empty()) fail<ValueError>("ResNet: no stage, expected at least one");
  for (std::size_t stage = 0; stage < config.blocks.size(); ++stage) {
    if (config.blocks[stage] < 1) {
      fail<ValueError>("ResNet: stage {} has {} blocks, expected at least 1", stage + 1, config.blocks[stage]);
    }
  }
  return config;
}

std::int64_t last_width(const ResNetConfig& config) { return config.width << (config.blocks.size() - 1); }

}  // namespace

ResNetConfig resnet_cifar(int depth) {
  if (depth < 8 || depth % 6 != 2) fail<ValueError>("resnet_cifar: depth {}, expected 6 n + 2: 20, 32, 56", depth);
  const std::int64_t n = (depth - 2) / 6;
  return {.blocks = {n, n, n}};
}

ResNetConfig resnet18() { return {.blocks = {2, 2, 2, 2}, .width = 64, .classes = 1000, .stem = ResNetStem::imagenet}; }

BasicBlock::BasicBlock(std::int64_t in, std::int64_t out, std::int64_t stride)
    : conv1(convolution(in, out, 3, stride)), bn1(out), conv2(convolution(out, out, 3, 1)), bn2(out) {
  if (stride == 1 && in == out) return;
  shortcut_.emplace(convolution(in, out, 1, stride));
  shortcut_norm_.emplace(out);
}

void BasicBlock::members(nn::Members& members) const {
  members("conv1", conv1);
  members("bn1", bn1);
  members("conv2", conv2);
  members("bn2", bn2);
  if (!shortcut_) return;
  members("downsample.0", *shortcut_);
  members("downsample.1", *shortcut_norm_);
}

Tensor BasicBlock::forward(const Tensor& x) const {
  return bn2.relu(conv2(bn1.relu(conv1(x))), shortcut_ ? (*shortcut_norm_)((*shortcut_)(x)) : x);
}

ResNet::ResNet(const ResNetConfig& config)
    : config_(checked(config)),
      conv1_(config.stem == ResNetStem::small ? convolution(config.channels, config.width, 3, 1)
                                              : convolution(config.channels, config.width, 7, 2)),
      bn1_(config.width),
      fc_(last_width(config), config.classes) {
  std::int64_t in = config.width, out = config.width;
  for (const std::int64_t blocks : config.blocks) {
    std::vector<BasicBlock>& stage = stages_.emplace_back();
    for (std::int64_t i = 0; i < blocks; ++i, in = out) {
      stage.emplace_back(in, out, i == 0 && stages_.size() > 1 ? 2 : 1);
      if (config.zero_init) Tensor(stage.back().bn2.weight.value()).fill(0.0f);
    }
    out *= 2;
  }
}

void ResNet::members(nn::Members& members) const {
  members("conv1", conv1_);
  members("bn1", bn1_);
  for (std::size_t i = 0; i < stages_.size(); ++i) members("layer" + std::to_string(i + 1), stages_[i]);
  members("fc", fc_);
}

std::string ResNet::description() const {
  std::int64_t depth = 2;
  for (const std::int64_t blocks : config_.blocks) depth += 2 * blocks;
  return fmt::format("ResNet-{}", depth);
}

Tensor ResNet::forward(const Tensor& x) const {
  Tensor y = relu(bn1_(conv1_(x)));
  if (config_.stem == ResNetStem::imagenet) y = max_pool2d(y, {.kernel = 3, .stride = 2, .padding = 1});
  for (const std::vector<BasicBlock>& stage : stages_) {
    for (const BasicBlock& block : stage) y = config_.recompute ? recompute(block, y) : block(y);
  }
  return fc_(global_avg_pool2d(y));
}

}  // namespace temper::models
