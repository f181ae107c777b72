#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/reduce.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>
#include <temper/nn/bf16.hpp>
#include <temper/nn/layers.hpp>
#include <temper/nn/summary.hpp>

#include "tests/larger.hpp"

using namespace temper;

namespace {

std::vector<std::string> names(const nn::Module& module) {
  std::vector<std::string> result;
  for (const Parameter& parameter : module.parameters()) result.push_back(parameter.name());
  return result;
}

class Block : public nn::Module {
 public:
  void members(nn::Members& m) const override {
    m("fc", fc);
    m("running_mean", running_mean);
  }
  nn::Linear fc{3, 2};
  Tensor running_mean = zeros({2});
};

class Tower : public nn::Module {
 public:
  Tower() {
    for (int i = 0; i < 2; ++i) blocks.emplace_back();
    head.weight = blocks[0].fc.weight;  // tied
  }
  void members(nn::Members& m) const override {
    m("blocks", blocks);
    m("head", head);
  }
  std::vector<Block> blocks;
  nn::Linear head{3, 2, {.bias = false}};
};

}  // namespace

TEST_CASE("parameters have PyTorch's names, shapes and roles") {
  const nn::Sequential model(nn::Conv2d(1, 4, {.kernel = 3}), nn::ReLU(), nn::Flatten(), nn::Linear(4, 2));
  CHECK(names(model) == std::vector<std::string>{"0.weight", "0.bias", "3.weight", "3.bias"});
  const auto parameters = model.parameters();
  CHECK(parameters[0].shape() == Shape{4, 1, 3, 3});
  CHECK(parameters[1].shape() == Shape{4});
  CHECK(parameters[2].shape() == Shape{2, 4});
  CHECK(parameters[2].role() == Role::weight);
  CHECK(parameters[3].role() == Role::bias);
}

TEST_CASE("nested parts, vectors of parts, buffers and tied weights") {
  const Tower tower;
  CHECK(names(tower) ==
        std::vector<std::string>{"blocks.0.fc.weight", "blocks.0.fc.bias", "blocks.1.fc.weight", "blocks.1.fc.bias"});
  const auto buffers = tower.buffers();
  REQUIRE(buffers.size() == 2);
  CHECK(buffers[1].name == "blocks.1.running_mean");
  CHECK(buffers[1].tensor.same(tower.blocks[1].running_mean));
}

TEST_CASE("parts that may be absent, and lists of them") {
  class Model : public nn::Module {
   public:
    Model() {
      list.push_back(std::make_unique<nn::Linear>(2, 2));
      list.push_back(nullptr);
      list.push_back(std::make_unique<nn::ReLU>());
      list.push_back(std::make_unique<nn::Linear>(2, 3, nn::LinearOptions{.bias = false}));
      nested.resize(2);
      nested[1].emplace_back(2, 1, nn::LinearOptions{.bias = false});
      loose.emplace_back(ones({4}), Role::bias);
    }
    void members(nn::Members& m) const override {
      m("absent", absent);
      m("present", present);
      m("shared", shared);
      m("list", list);
      m("pair", pair);
      m("nested", nested);
      m("loose", loose);
    }
    std::optional<nn::Linear> absent, present{std::in_place, 3, 2, nn::LinearOptions{.bias = false}};
    std::shared_ptr<nn::LayerNorm> shared = std::make_shared<nn::LayerNorm>(2);
    std::vector<std::unique_ptr<nn::Layer>> list;
    std::array<nn::RMSNorm, 2> pair{nn::RMSNorm(2), nn::RMSNorm(3)};
    std::vector<std::vector<nn::Linear>> nested;
    std::vector<Parameter> loose;
  };
  const Model model;
  CHECK(names(model) == std::vector<std::string>{"present.weight", "shared.weight", "shared.bias", "list.0.weight",
                                                 "list.0.bias", "list.3.weight", "pair.0.weight", "pair.1.weight",
                                                 "nested.1.0.weight", "loose.0"});
}

TEST_CASE("submodules can be found by their type, and changed") {
  nn::Sequential model(nn::Conv2d(1, 4, 3), nn::BatchNorm2d(4));
  nn::Sequential inner(nn::ReLU(), nn::BatchNorm2d(4));
  model.add(std::move(inner));
  const std::vector<nn::BatchNorm2d*> norms = nn::modules<nn::BatchNorm2d>(model);
  REQUIRE(norms.size() == 2);
  for (nn::BatchNorm2d* norm : norms) norm->set_frozen(true);
  {
    Tape tape;
    model(normal({2, 5, 5, 1}));
  }
  for (const nn::Buffer& buffer : model.buffers()) {
    const float initial = buffer.name.ends_with("running_mean") ? 0.0f : 1.0f;
    for (const float x : buffer.tensor.values<float>()) CHECK(x == initial);
  }
  CHECK(nn::modules<nn::Dropout>(model).empty());
  CHECK(norms[1]->description() == "BatchNorm2d(4, frozen)");
}

TEST_CASE("a layer of a Sequential can be replaced by one that wraps it") {
  /// Low-rank adaptation: y = base(x) + b(a(x)).
  class Adapter : public nn::Layer {
   public:
    Adapter(nn::Linear base, std::int64_t rank)
        : base_(std::move(base)),
          a_(base_.weight.shape()[1], rank, {.bias = false}),
          b_(rank, base_.weight.shape()[0], {.bias = false}) {}
    void members(nn::Members& m) const override {
      m("base", base_);
      m("a", a_);
      m("b", b_);
    }

   protected:
    Tensor forward(const Tensor& x) const override { return base_(x) + b_(a_(x)); }

   private:
    nn::Linear base_, a_, b_;
  };
  nn::Sequential model(nn::Linear(4, 3), nn::ReLU(), nn::Linear(3, 2));
  const void* kept = model.at<nn::Linear>(2).weight.id();
  model.replace(2, Adapter(std::move(model.at<nn::Linear>(2)), 1));
  CHECK(model.size() == 3);
  CHECK(names(model) ==
        std::vector<std::string>{"0.weight", "0.bias", "2.base.weight", "2.base.bias", "2.a.weight", "2.b.weight"});
  CHECK(model.parameters()[2].id() == kept);
  CHECK(model(ones({5, 4})).shape() == Shape{5, 2});

  CHECK_THROWS_WITH_AS(model.at<nn::Linear>(1), "sequential: layer 1 is ReLU, asked for as something else", ValueError);
  CHECK_THROWS_WITH_AS(model.at<nn::Linear>(3), "sequential: layer 3 of 3", ValueError);
  CHECK_THROWS_WITH_AS(model.replace(3, nn::ReLU()), "sequential: layer 3 of 3", ValueError);
  CHECK_THROWS_WITH_AS(model.replace(0, nullptr), "sequential: layer 0 is a null pointer", ValueError);
  CHECK_THROWS_WITH_AS(model.add(nullptr), "sequential: layer 3 is a null pointer", ValueError);
}

TEST_CASE("a Sequential inside another one adds a level to the names") {
  nn::Sequential outer;
  outer.add(nn::Sequential(nn::Linear(2, 3)));
  CHECK(names(outer) == std::vector<std::string>{"0.0.weight", "0.0.bias"});
  // Sequential(sequential) is a copy or move, not a nested one: C++ prefers these constructors.
  CHECK(names(nn::Sequential(nn::Sequential(nn::Linear(2, 3)))) == std::vector<std::string>{"0.weight", "0.bias"});
}

TEST_CASE("a moved module keeps its parameters") {
  nn::Linear first(3, 2);
  const void* id = first.weight.id();
  const nn::Linear second = std::move(first);
  CHECK(second.weight.id() == id);
}

TEST_CASE("freezing a module freezes all its parameters") {
  const Tower tower;
  tower.freeze();
  for (const Parameter& parameter : tower.parameters()) CHECK(parameter.frozen());
  tower.unfreeze();
  for (const Parameter& parameter : tower.parameters()) CHECK_FALSE(parameter.frozen());
}

TEST_CASE("two parts of one name are an error") {
  class Twins : public nn::Module {
   public:
    void members(nn::Members& m) const override {
      m("fc", a);
      m("fc", b);
    }
    nn::Linear a{2, 2}, b{2, 2};
  };
  CHECK_THROWS_WITH_AS(Twins().parameters(), "module: two parts are named 'fc.weight'", ValueError);
}

TEST_CASE("initial weights are uniform within 1/sqrt(fan_in), from the seed") {
  manual_seed(5);
  const nn::Linear a(100, 300);
  const nn::Conv2d c(4, 50, {.kernel = 5});
  manual_seed(5);
  const nn::Linear b(100, 300);
  CHECK(std::ranges::equal(a.weight.value().values<float>(), b.weight.value().values<float>()));
  const auto check = [](const Tensor& values, double bound) {
    double largest = 0, squares = 0;
    for (const float value : values.values<float>()) {
      largest = temper_test::larger(largest, std::abs(static_cast<double>(value)));
      squares += value * value;
    }
    CHECK(largest <= bound);
    CHECK(largest > 0.95 * bound);
    const double deviation = std::sqrt(squares / static_cast<double>(values.numel()));
    CHECK(std::abs(deviation / (bound / std::sqrt(3.0)) - 1) < 0.05);
  };
  check(a.weight, 0.1);
  check(a.bias, 0.1);
  check(c.weight, 0.1);
}

TEST_CASE("layers throw for invalid sizes") {
  CHECK_THROWS_WITH_AS(nn::Linear(0, 3), "Linear: 0 inputs and 3 outputs, expected at least 1 of each", ValueError);
  CHECK_THROWS_WITH_AS(nn::Conv2d(3, 4, {.kernel = 3, .groups = 2}),
                       "Conv2d: 2 groups do not divide 3 input and 4 output channels", ValueError);
  CHECK_THROWS_WITH_AS(nn::Dropout(1.0), "Dropout: probability 1, expected 0 <= p < 1", ValueError);
  CHECK_THROWS_WITH_AS(nn::Sequential()[0], "sequential: layer 0 of 0", ValueError);
}

TEST_CASE("the summary shows shapes, counts and memory") {
  const nn::Sequential model(nn::Flatten(), nn::Linear(784, 256), nn::ReLU(), nn::Linear(256, 10, {.bias = false}));
  const std::string table = nn::summary(model, zeros({2, 28, 28, 1}));
  for (const char* part : {"Linear(784, 256)", "weight [256, 784], bias [256]", "200,960", "785.0 KiB", "[2, 256]",
                           "[2, 10]", "Linear(256, 10, no bias)", "2,560", "203,520", "795.0 KiB"}) {
    CAPTURE(part);
    CHECK(table.find(part) != std::string::npos);
  }
  CHECK(nn::summary(model).find("output") == std::string::npos);
  nn::to_bf16(model);  // 2 bytes per weight, but still 4 per bias
  CHECK(nn::summary(model).find("200,960   393.0 KiB") != std::string::npos);
  CHECK_THROWS_WITH_AS(nn::summary(Tower(), zeros({1})), doctest::Contains("is not a Layer"), ValueError);
}

TEST_CASE("a Sequential that fuses neighbouring layers gives what the single layers give") {
  manual_seed(3);
  const nn::Sequential model(nn::Conv2d(3, 16, {.kernel = 3, .padding = 1}), nn::ReLU(), nn::MaxPool2d(2),
                             nn::BatchNorm2d(16), nn::ReLU(), nn::MaxPool2d(2), nn::ReLU(), nn::Flatten(),
                             nn::Linear(16, 5), nn::ReLU(), nn::Linear(5, 7), nn::GELU(GeluForm::tanh),
                             nn::Linear(7, 6, {.bias = false}), nn::GELU(), nn::Linear(6, 5), nn::SiLU(),
                             nn::Linear(5, 2), nn::ReLU());
  const Tensor x = normal({2, 4, 4, 3});
  const auto gradients = [&](bool together) {
    Tape tape;
    Tensor y = x;
    if (together) {
      y = model(x);
    } else {
      for (std::size_t i = 0; i < model.size(); ++i) y = model[i](y);
    }
    tape.backward(sum(y));
    std::vector<Tensor> results = {y};
    for (const Parameter& parameter : model.parameters()) results.push_back(parameter.gradient());
    discard_gradients(model.parameters());
    return results;
  };
  const std::vector<Tensor> one = gradients(true), two = gradients(false);
  for (std::size_t i = 0; i < one.size(); ++i) {
    CAPTURE(i);
    const auto a = one[i].values<float>(), b = two[i].values<float>();
    for (std::size_t k = 0; k < a.size(); ++k) CHECK(a[k] == doctest::Approx(b[k]).epsilon(1e-6));
  }
}
