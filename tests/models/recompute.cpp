// Models with `recompute` have the same gradients, running statistics and random numbers, and use less memory.

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <vector>

#include <temper/core/pool.hpp>
#include <temper/models/bert/heads.hpp>
#include <temper/models/gpt/gpt.hpp>
#include <temper/models/resnet/resnet.hpp>
#include <temper/temper.hpp>

using namespace temper;

namespace {

bool same_bits(const Tensor& a, const Tensor& b) { return std::ranges::equal(a.values<float>(), b.values<float>()); }

Tensor numbers(const Shape& shape, std::int64_t below) {
  Tensor x = arange(shape.numel()).view(shape);
  for (std::int64_t& i : x.mutable_values<std::int64_t>()) i = i * i % below;
  return x;
}

/// Trains two models, the second with recomputation, for two steps and compares everything.
template <class Model, class Config, class Loss>
void check(Config config, const Loss& loss) {
  std::array<double, 2> losses{};
  std::array<std::size_t, 2> peaks{};
  std::vector<Model> models;
  models.reserve(2);
  for (std::size_t i = 0; i < 2; ++i) {
    manual_seed(5);
    config.recompute = i == 1;
    const Model& model = models.emplace_back(config);
    for (int step = 0; step < 2; ++step) {
      const std::size_t before = pool_stats().live;
      reset_pool_peak();
      Tape tape;
      const Tensor l = loss(model);
      tape.backward(l);
      losses[i] = l.item();
      if (step == 0) peaks[i] = pool_stats().peak - before;
    }
  }
  CHECK(losses[0] == losses[1]);
  const auto parameters = models[0].parameters(), again = models[1].parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    CAPTURE(parameters[i].name());
    CHECK(same_bits(parameters[i].gradient(), again[i].gradient()));
  }
  const auto buffers = models[0].buffers(), buffers_again = models[1].buffers();
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    CAPTURE(buffers[i].name);
    CHECK(same_bits(buffers[i].tensor, buffers_again[i].tensor));
  }
  MESSAGE("peak of the pool: " << peaks[0] / 1024 << " KiB, computing blocks again " << peaks[1] / 1024 << " KiB");
  CHECK(3 * peaks[1] < 2 * peaks[0]);
}

}  // namespace

TEST_CASE("a GPT with recomputation trains the same, with less than two thirds of the memory") {
  const Tensor tokens = numbers({4, 64}, 23);
  check<models::Gpt>(
      models::GptConfig{.vocabulary = 23, .context = 64, .layers = 6, .heads = 2, .width = 16, .dropout = 0.1},
      [&](const models::Gpt& model) { return cross_entropy(model(tokens), tokens); });
}

TEST_CASE("a BERT with recomputation trains the same, with less than two thirds of the memory") {
  const Tensor tokens = numbers({4, 64}, 23), positions = numbers({9}, 64), targets = numbers({9}, 23);
  const models::BertInputs inputs{.mask = models::length_mask(std::array<std::int64_t, 4>{64, 9, 52, 5}, 64)};
  check<models::BertForMaskedLM>(
      models::BertConfig{.vocabulary = 23, .positions = 64, .layers = 6, .heads = 2, .width = 16, .hidden = 64},
      [&](const models::BertForMaskedLM& model) {
        return cross_entropy(model.at(positions, tokens, inputs), targets);
      });
}

TEST_CASE("a ResNet with recomputation trains the same, with less than two thirds of the memory") {
  const Tensor images = normal({4, 16, 16, 3}), labels = numbers({4}, 10);
  check<models::ResNet>(models::ResNetConfig{.blocks = {5, 5, 5}, .width = 8},
                        [&](const models::ResNet& model) { return cross_entropy(model(images), labels); });
}
