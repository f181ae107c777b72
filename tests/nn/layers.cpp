// Layers against recorded results of PyTorch's: names, shapes, values and gradients.

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/nn/layers.hpp>

using namespace temper;

namespace {

const nlohmann::json& recorded(const std::string& name) {
  static const nlohmann::json all = [] {
    std::ifstream file(TEMPER_TEST_DIR "/golden/layers.json");
    REQUIRE(file.good());
    return nlohmann::json::parse(file);
  }();
  return all.at(name);
}

/// sin(first), sin(first + 1), ...
Tensor values(const Shape& shape, int first) {
  Tensor tensor = empty(shape);
  for (float& value : tensor.mutable_values<float>()) value = static_cast<float>(std::sin(first++));
  return tensor;
}

void fill(const nn::Module& module) {
  int number = 0;
  for (const Parameter& parameter : module.parameters()) {
    Tensor value = parameter.value();
    value.copy_from(values(parameter.shape(), 100 * ++number));
  }
}

void compare(const Tensor& got, const std::vector<double>& expected) {
  REQUIRE(static_cast<std::size_t>(got.numel()) == expected.size());
  double largest = 1e-6, worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    worst = std::max(worst, std::abs(got.data<float>()[i] - expected[i]));
  }
  CHECK(worst / largest < 5e-6);
}

template <class Forward>
void check(const std::string& name, const nn::Module& module, const Tensor& x, const Forward& forward) {
  const nlohmann::json& golden = recorded(name);
  Tape tape;
  tape.watch(x);
  const Tensor y = forward(x);
  compare(y, golden["y"]);
  tape.backward(sum(y * values(y.shape(), 7)));
  compare(tape.gradient(x), golden["dx"]);
  const auto parameters = module.parameters();
  CHECK(parameters.size() == golden["gradients"].size());
  for (const Parameter& parameter : parameters) {
    CAPTURE(parameter.name());
    REQUIRE(golden["gradients"].contains(parameter.name()));
    compare(parameter.gradient(), golden["gradients"][parameter.name()]);
  }
}

}  // namespace

TEST_CASE("self-attention is PyTorch's") {
  const nn::MultiheadAttention layer(6, {.heads = 2});
  fill(layer);
  check("attention", layer, values({2, 5, 6}, 1), layer);
}

TEST_CASE("causal self-attention is PyTorch's") {
  const nn::MultiheadAttention layer(6, {.heads = 2, .causal = true});
  fill(layer);
  check("causal_attention", layer, values({2, 5, 6}, 1), layer);
}

TEST_CASE("attention to other tokens is PyTorch's") {
  const nn::MultiheadAttention layer(6, {.heads = 3});
  fill(layer);
  check("cross_attention", layer, values({2, 4, 6}, 1), [&](const Tensor& x) {
    return layer(x, values({2, 5, 6}, 3));
  });
}

TEST_CASE("batch normalization is PyTorch's, in training and in use") {
  const nn::BatchNorm2d layer(3);
  fill(layer);
  const Tensor x = values({2, 4, 5, 3}, 1);
  check("batch_norm", layer, x, layer);
  compare(layer.running_mean, recorded("batch_norm")["running_mean"]);
  compare(layer.running_var, recorded("batch_norm")["running_var"]);
  compare(layer(x), recorded("batch_norm")["evaluated"]);
  CHECK(layer.buffers().size() == 2);
}

TEST_CASE("a frozen batch normalization uses its statistics in training and leaves them alone") {
  nn::BatchNorm2d layer(3, {.frozen = true});
  const Tensor x = values({2, 4, 5, 3}, 1);
  const Tensor in_use = layer(x);
  {
    Tape tape;
    CHECK(std::ranges::equal(layer(x).values<float>(), in_use.values<float>()));
  }
  CHECK(layer.running_mean.data<float>()[0] == 0);
  layer.set_frozen(false);
  Tape tape;
  layer(x);
  CHECK(layer.running_mean.data<float>()[0] != 0);
}

TEST_CASE("batch statistics can be re-estimated without recording") {
  const nn::BatchNorm2d layer(2, {.momentum = 1});
  const NoTape statistics(Mode::train);
  layer(full({2, 2, 2, 2}, 3));
  CHECK(layer.running_mean.data<float>()[1] == doctest::Approx(3));
  CHECK(layer.running_var.data<float>()[1] == doctest::Approx(0));
}

TEST_CASE("tied weights are one parameter with one gradient") {
  class Tied : public nn::Module {
   public:
    Tied() { head_.weight = embedding_.weight; }
    Tensor operator()(const Tensor& ids) const { return head_(embedding_(ids)); }
    void members(nn::Members& m) const override {
      m("embedding", embedding_);
      m("head", head_);
    }

   private:
    nn::Embedding embedding_{5, 3};
    nn::Linear head_{3, 5, {.bias = false}};
  };
  const Tied model;
  const auto parameters = model.parameters();
  REQUIRE(parameters.size() == 1);
  CHECK(parameters[0].name() == "embedding.weight");
  CHECK(parameters[0].role() == Role::embedding);
  Tape tape;
  tape.backward(sum(model(indices({1, 1, 4}))));
  // Rows that no id names get a gradient from the head alone, the others from both.
  CHECK(parameters[0].gradient().shape() == Shape{5, 3});
  const float* g = parameters[0].gradient().data<float>();
  CHECK(g[0] == g[6]);
  CHECK(g[0] != g[3]);
}

TEST_CASE("layers refuse what they cannot be") {
  CHECK_THROWS_WITH_AS(nn::MultiheadAttention(6, {.heads = 4}),
                       "MultiheadAttention: 6 features in 4 heads, expected a multiple", ValueError);
  CHECK_THROWS_WITH_AS(nn::MultiheadAttention(6, {.heads = 2})(zeros({2, 6})),
                       "MultiheadAttention: input [2, 6], expected [N, T, 6]", ShapeError);
  CHECK_THROWS_WITH_AS(nn::BatchNorm2d(0), "BatchNorm2d: 0 channels, expected at least 1", ValueError);
  CHECK_THROWS_WITH_AS(nn::LayerNorm(0), "LayerNorm: 0 features, expected at least 1", ValueError);
  CHECK_THROWS_WITH_AS(nn::Embedding(0, 2), "Embedding: 0 ids and 2 features, expected at least 1 of each", ValueError);
}
