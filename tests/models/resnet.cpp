#include <temper/models/resnet/resnet.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <temper/models/import/resnet.hpp>
#include <temper/temper.hpp>

#include "tests/larger.hpp"
#include "tests/models/directional.hpp"

using namespace temper;
using models::ResNet;
using models::ResNetConfig;

namespace {

const ResNetConfig small = {.blocks = {1, 2, 1}, .width = 4, .channels = 2, .classes = 5};
const ResNetConfig imagenet = {
    .blocks = {2, 2, 2, 2}, .width = 3, .channels = 3, .classes = 7, .stem = models::ResNetStem::imagenet};

double largest(const Tensor& x) {
  double found = 0;
  for (const float value : x.values<float>()) found = temper_test::larger(found, std::abs(static_cast<double>(value)));
  return found;
}

void check_as_recorded(const ResNetConfig& config, const std::string& name) {
  const std::string path = TEMPER_TEST_DIR "/golden/resnet_" + name;
  ResNet model(config);
  models::load_torchvision(path + ".safetensors", model);
  const Tensors expected = load_tensors(path + "_expected.safetensors").tensors;
  const auto of = [&](const std::string& key) { return expected.at(key); };
  CHECK(largest(model(of("images")) - of("logits")) <= 1e-4);

  Tape tape;
  const Tensor loss = cross_entropy(model(of("images")), of("labels"));
  tape.backward(loss);
  CHECK(std::abs(loss.item() - of("loss").item()) <= 1e-5);
  double scale = 0;
  for (const Parameter& parameter : model.parameters()) {
    scale = std::max(scale, largest(of("gradient." + parameter.name())));
  }
  for (const Parameter& parameter : model.parameters()) {
    CAPTURE(parameter.name());
    CHECK(largest(parameter.gradient() - of("gradient." + parameter.name())) <= 5e-5 * scale);
  }
  for (const nn::Buffer& buffer : model.buffers()) {
    CAPTURE(buffer.name);
    CHECK(largest(buffer.tensor - of("after." + buffer.name)) <= 1e-5);
  }
}

std::int64_t count(const nn::Module& model) {
  std::int64_t total = 0;
  for (const Parameter& parameter : model.parameters()) total += parameter.value().numel();
  return total;
}

}  // namespace

TEST_CASE("a ResNet of torchvision's gives PyTorch's logits, gradients and running statistics") {
  check_as_recorded(small, "small");
  check_as_recorded(imagenet, "imagenet");
}

TEST_CASE("a ResNet for other classes loads all of a file but the last layer") {
  ResNetConfig config = small;
  config.classes += 3;
  ResNet model(config);
  const std::string path = TEMPER_TEST_DIR "/golden/resnet_small.safetensors";
  CHECK_THROWS_WITH_AS(models::load_torchvision(path, model), doctest::Contains("different: fc.weight"), FileError);
  const Tensor head = state_dict(model).at("fc.weight").clone();
  models::load_torchvision(path, model, {.skip = {"fc.*"}, .allow_missing = {"fc.*"}});
  const Tensors state = state_dict(model), stored = load_tensors(path).tensors;
  CHECK(std::ranges::equal(state.at("fc.weight").values<float>(), head.values<float>()));
  CHECK(std::ranges::equal(state.at("conv1.weight").values<float>(), stored.at("conv1.weight").values<float>()));
}

TEST_CASE("ResNets have the published numbers of parameters") {
  // With option B; table 6 of the paper has 0.27, 0.46 and 0.85 million with option A.
  CHECK(count(ResNet(models::resnet_cifar(20))) == 272474);
  CHECK(count(ResNet(models::resnet_cifar(32))) == 466906);
  CHECK(count(ResNet(models::resnet_cifar(56))) == 855770);
  CHECK(models::resnet_cifar(20) == ResNetConfig());
  const ResNet resnet18(models::resnet18());
  CHECK(count(resnet18) == 11689512);  // as torchvision's
  CHECK(resnet18.parameters().size() == 62);
  CHECK(resnet18.buffers().size() == 40);
}

TEST_CASE("the blocks of a ResNet with zero_init are the identity at first") {
  ResNetConfig config = small;
  config.blocks = {2};
  config.zero_init = true;
  manual_seed(1);
  const ResNet zero(config);
  manual_seed(1);
  config.zero_init = false;
  const ResNet plain(config);
  const Tensor images = normal({2, 8, 8, 2});
  for (const Parameter& parameter : zero.parameters()) {
    if (parameter.name().ends_with("bn2.weight")) CHECK(largest(parameter) == 0.0);
  }
  CHECK(largest(zero(images) - plain(images)) > 1e-3);
  // The other weights of the blocks have no effect then.
  const Tensor before = zero(images);
  for (const Parameter& parameter : zero.parameters()) {
    if (parameter.name().find("conv2") != std::string::npos) Tensor(parameter.value()).fill(1.0f);
  }
  CHECK(largest(zero(images) - before) == 0.0);
}

TEST_CASE("the ResNet's gradient agrees with directional differences") {
  manual_seed(3);
  constexpr std::int64_t batch = 512;
  const ResNet model({.blocks = {1, 1, 1}, .width = 4, .channels = 1});
  const Tensor images = normal({batch, 12, 12, 1});
  Tensor labels = empty({batch}, Dtype::i64);
  for (std::int64_t i = 0; i < batch; ++i) labels.mutable_data<std::int64_t>()[i] = i % 4 == 0 ? i % 10 : 3;
  test::check_directional(model.parameters(), [&] {
    const auto losses = [&] { return cross_entropy(model(images), labels, {.reduction = Reduction::none}); };
    if (recording()) return losses();
    const NoTape unrecorded(Mode::train);  // with batch statistics, as on the tape
    return losses();
  });
}

TEST_CASE("a ResNet can overfit a batch") {
  manual_seed(5);
  constexpr std::int64_t batch = 16;
  const ResNet model({.blocks = {1, 1, 1}, .width = 8, .channels = 1});
  const Tensor images = normal({batch, 12, 12, 1});
  Tensor labels = empty({batch}, Dtype::i64);
  for (std::int64_t i = 0; i < batch; ++i) labels.mutable_data<std::int64_t>()[i] = i % 10;
  optim::SGD sgd(model.parameters(), {.lr = 0.05, .momentum = 0.9, .nesterov = true});
  double loss = 0;
  for (int step = 0; step < 60; ++step) {
    Tape tape;
    const Tensor value = cross_entropy(model(images), labels);
    tape.backward(value);
    sgd.step();
    loss = value.item();
  }
  CHECK(loss < 0.01);
  CHECK(cross_entropy(model(images), labels).item() < 0.05);  // also in evaluation, with running statistics
}

TEST_CASE("ResNet: invalid arguments throw") {
  CHECK_THROWS_WITH_AS(models::resnet_cifar(21), "resnet_cifar: depth 21, expected 6 n + 2: 20, 32, 56", ValueError);
  CHECK_THROWS_WITH_AS(ResNet({.blocks = {}}), "ResNet: no stage, expected at least one", ValueError);
  CHECK_THROWS_WITH_AS(ResNet({.blocks = {2, 0}}), "ResNet: stage 2 has 0 blocks, expected at least 1", ValueError);
  CHECK_THROWS_AS(ResNet()(zeros({2, 32, 32, 1})), ShapeError);
}
