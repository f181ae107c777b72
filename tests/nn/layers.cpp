// Compares layers with recorded results of PyTorch: names, shapes, values and gradients.

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/core/random.hpp>
#include <temper/nn/layers.hpp>
#include <temper/optim/sgd.hpp>

#include "tests/larger.hpp"

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
    largest = temper_test::larger(largest, std::abs(expected[i]));
    worst = temper_test::larger(worst, std::abs(got.data<float>()[i] - expected[i]));
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

bool all_are(const Tensor& tensor, float value) {
  return std::ranges::all_of(tensor.values<float>(), [=](float x) { return x == value; });
}

}  // namespace

TEST_CASE("self-attention agrees with PyTorch") {
  const nn::MultiheadAttention layer(6, {.heads = 2});
  fill(layer);
  check("attention", layer, values({2, 5, 6}, 1), layer);
}

TEST_CASE("causal self-attention agrees with PyTorch") {
  const nn::MultiheadAttention layer(6, {.heads = 2, .causal = true});
  fill(layer);
  check("causal_attention", layer, values({2, 5, 6}, 1), layer);
}

TEST_CASE("cross-attention agrees with PyTorch") {
  const nn::MultiheadAttention layer(6, {.heads = 3});
  fill(layer);
  check("cross_attention", layer, values({2, 4, 6}, 1), [&](const Tensor& x) {
    return layer(x, values({2, 5, 6}, 3));
  });
}

TEST_CASE("batch normalization agrees with PyTorch, in training and in evaluation") {
  const nn::BatchNorm2d layer(3);
  fill(layer);
  const Tensor x = values({2, 4, 5, 3}, 1);
  check("batch_norm", layer, x, layer);
  compare(layer.running_mean, recorded("batch_norm")["running_mean"]);
  compare(layer.running_var, recorded("batch_norm")["running_var"]);
  compare(layer(x), recorded("batch_norm")["evaluated"]);
  CHECK(layer.buffers().size() == 2);
}

TEST_CASE("a frozen batch normalization uses its running statistics in training and does not update them") {
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

TEST_CASE("the batch normalization of a frozen model uses its running statistics in training") {
  const nn::Sequential model(nn::Conv2d(2, 3, 3), nn::BatchNorm2d(3), nn::ReLU());
  const Tensor x = values({2, 4, 5, 2}, 1);
  const auto trained = [&] {
    Tape tape;
    return model(x);
  };
  const Tensor in_use = model(x);
  model.freeze();
  CHECK(std::ranges::equal(trained().values<float>(), in_use.values<float>()));
  CHECK(all_are(model.buffers()[0].tensor, 0));
  CHECK(all_are(model.buffers()[1].tensor, 1));
  // With only one of its parameters frozen it uses batch statistics.
  model.parameters()[2].unfreeze();
  CHECK_FALSE(std::ranges::equal(trained().values<float>(), in_use.values<float>()));
  CHECK_FALSE(all_are(model.buffers()[0].tensor, 0));
}

TEST_CASE("attention masks hide keys, and their shape says along which axes") {
  manual_seed(3);
  // As many tokens as sequences: the shape alone does not tell whether a mask is [N, S] or [T, S].
  const std::int64_t n = 4, features = 6, heads = 2;
  const nn::MultiheadAttention attention(features, {.heads = heads});
  const Tensor x = normal({n, n, features}), tokens = normal({n, n, features});
  const auto bools = [](const Shape& shape, auto value) {
    Tensor mask = empty(shape, Dtype::boolean);
    std::int64_t i = 0;
    for (bool& bit : mask.mutable_values<bool>()) bit = value(i++);
    return mask;
  };
  const auto present = [&](std::int64_t sequence, std::int64_t key) { return key <= sequence; };
  const auto sees = [&](std::int64_t query, std::int64_t key) { return (query + key) % 3 != 2 || key == 0; };
  const Tensor keys = bools({n, n}, [&](std::int64_t i) { return present(i / n, i % n); });
  const Tensor pairs = bools({n, n}, [&](std::int64_t i) { return sees(i / n, i % n); });
  const auto whole = [&](auto visible) {
    return bools({n, heads, n, n}, [&](std::int64_t i) { return visible(i / (heads * n * n), i / n % n, i % n); });
  };
  const auto same = [](const Tensor& a, const Tensor& b) {
    return std::ranges::equal(a.values<float>(), b.values<float>());
  };
  for (const Tensor& other : {x, tokens}) {
    const auto by = [&](const nn::AttentionMasks& masks) { return attention(x, other, masks); };
    const Tensor all = by({});
    const Tensor by_keys = by({.visible_keys = keys}), by_pairs = by({.visible = pairs});
    CHECK(same(by_keys, by({.visible = whole([&](auto sequence, auto, auto key) { return present(sequence, key); })})));
    CHECK(same(by_pairs, by({.visible = whole([&](auto, auto query, auto key) { return sees(query, key); })})));
    CHECK(same(by({.visible_keys = keys, .visible = pairs}),
               by({.visible = whole([&](auto sequence, auto query, auto key) {
                     return present(sequence, key) && sees(query, key);
                   })})));
    CHECK(same(by({.visible_keys = keys, .visible = bools({1, 1, n, 1}, [](auto) { return true; })}), by_keys));
    CHECK_FALSE(same(by_keys, all));
    CHECK_FALSE(same(by_keys, by_pairs));
    // Hidden tokens have no effect: the first sequence sees only its first token.
    const float* row = by_keys.data<float>();
    for (std::int64_t i = 0; i < n * features; ++i) CHECK(row[i] == row[i % features]);
  }
}

TEST_CASE("the padding row of an embedding is zero and stays zero") {
  manual_seed(3);
  const nn::Embedding layer(4, 3, {.padding = 1});
  CHECK(layer.description() == "Embedding(4, 3, padding 1)");
  const auto row = [](const Tensor& table, std::int64_t i) { return slice(table, 0, i, i + 1); };
  CHECK(all_are(row(layer.weight, 1), 0));
  CHECK_FALSE(all_are(row(layer.weight, 0), 0));
  Tape tape;
  tape.backward(sum(layer(indices({0, 1, 2, 1, 2}))));
  const Tensor& gradient = layer.weight.gradient();
  CHECK(all_are(row(gradient, 0), 1));
  CHECK(all_are(row(gradient, 1), 0));
  CHECK(all_are(row(gradient, 2), 2));
  CHECK(all_are(row(gradient, 3), 0));
}

TEST_CASE("the kernel of a convolution may be given as one number") {
  const nn::Conv2d layer(2, 3, 5);
  CHECK(layer.weight.shape() == Shape{3, 2, 5, 5});
  CHECK(layer.description() == "Conv2d(2, 3, kernel 5)");
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
  // Rows whose token does not occur get a gradient from the head only, the others from both uses.
  CHECK(parameters[0].gradient().shape() == Shape{5, 3});
  const float* g = parameters[0].gradient().data<float>();
  CHECK(g[0] == g[6]);
  CHECK(g[0] != g[3]);

  // It is one parameter of a group, and a step updates it once.
  const Tensor before = parameters[0].value().clone(), gradient = parameters[0].gradient().clone();
  optim::SGD sgd(model.parameters(), {.lr = 0.5});
  sgd.step();
  for (std::int64_t i = 0; i < before.numel(); ++i) {
    CHECK(parameters[0].value().data<float>()[i] == before.data<float>()[i] - 0.5f * gradient.data<float>()[i]);
  }
}

namespace {

std::vector<std::string> described(const nn::Module& module) {
  std::vector<std::string> result;
  for (const Parameter& p : module.parameters()) result.push_back(p.name() + " " + to_string(p.shape()));
  for (const nn::Buffer& b : module.buffers()) result.push_back(b.name + " " + to_string(b.tensor.shape()) + " buffer");
  return result;
}

/// Mean and standard deviation, relative to the expected standard deviation.
void check_spread(const Tensor& tensor, double deviation) {
  double total = 0, squares = 0;
  for (const float x : tensor.values<float>()) {
    total += static_cast<double>(x) / deviation;
    squares += static_cast<double>(x) * static_cast<double>(x) / (deviation * deviation);
  }
  const auto count = static_cast<double>(tensor.numel());
  CHECK(std::abs(total / count) < 0.05);
  CHECK(std::abs(std::sqrt(squares / count) - 1) < 0.05);
}

double largest(const Tensor& tensor) {
  double result = 0;
  for (const float x : tensor.values<float>()) result = temper_test::larger(result, std::abs(static_cast<double>(x)));
  return result;
}

}  // namespace

TEST_CASE("layers have PyTorch's names, shapes and initial values") {
  using Texts = std::vector<std::string>;
  manual_seed(2);
  const nn::BatchNorm2d batch_norm(4);
  CHECK(described(batch_norm) == Texts{"weight [4]", "bias [4]", "running_mean [4] buffer", "running_var [4] buffer"});
  CHECK((all_are(batch_norm.weight, 1) && all_are(batch_norm.bias, 0)));
  CHECK((all_are(batch_norm.running_mean, 0) && all_are(batch_norm.running_var, 1)));
  const nn::LayerNorm layer_norm(5);
  CHECK(described(layer_norm) == Texts{"weight [5]", "bias [5]"});
  CHECK((all_are(layer_norm.weight, 1) && all_are(layer_norm.bias, 0)));
  const nn::RMSNorm rms_norm(6);
  CHECK(described(rms_norm) == Texts{"weight [6]"});
  CHECK(all_are(rms_norm.weight, 1));
  const nn::Embedding embedding(100, 50);
  CHECK(described(embedding) == Texts{"weight [100, 50]"});
  check_spread(embedding.weight, 1);
  CHECK(largest(embedding.weight) > 3);  // of a normal distribution, not a uniform one
  const nn::MultiheadAttention attention(50, {.heads = 5});
  CHECK(described(attention) ==
        Texts{"in_proj_weight [150, 50]", "in_proj_bias [150]", "out_proj.weight [50, 50]", "out_proj.bias [50]"});
  const double glorot = std::sqrt(6.0 / 200.0), kaiming = 1 / std::sqrt(50.0);
  check_spread(attention.in_proj_weight, glorot / std::sqrt(3.0));
  CHECK(largest(attention.in_proj_weight) <= glorot);
  check_spread(attention.out_proj.weight, kaiming / std::sqrt(3.0));
  CHECK(largest(attention.out_proj.weight) <= kaiming);
  CHECK((all_are(attention.in_proj_bias, 0) && all_are(attention.out_proj.bias, 0)));
}

TEST_CASE("layers give what their operations give") {
  manual_seed(3);
  const Tensor x = normal({3, 6}), images = normal({2, 6, 4, 3}), ids = indices({2, 0, 1, 2});
  const auto check_same = [](const nn::Layer& layer, const Tensor& input, const Tensor& expected) {
    CAPTURE(layer.description());
    const Tensor y = layer(input);
    CHECK(y.shape() == expected.shape());
    CHECK(std::ranges::equal(y.values<float>(), expected.values<float>()));
  };
  check_same(nn::ReLU(), x, relu(x));
  check_same(nn::LeakyReLU(0.2f), x, leaky_relu(x, 0.2f));
  check_same(nn::GELU(), x, gelu(x));
  check_same(nn::GELU(GeluForm::tanh), x, gelu(x, GeluForm::tanh));
  check_same(nn::SiLU(), x, silu(x));
  check_same(nn::Sigmoid(), x, sigmoid(x));
  check_same(nn::Tanh(), x, tanh(x));
  check_same(nn::Softplus(), x, softplus(x));
  check_same(nn::Softmax(), x, softmax(x, -1));
  check_same(nn::LogSoftmax(), x, log_softmax(x, -1));
  check_same(nn::Dropout(0.5), x, x);
  check_same(nn::MaxPool2d(2), images, max_pool2d(images, {.kernel = 2}));
  check_same(nn::AvgPool2d({.kernel = 3, .stride = 2, .padding = 1}), images,
             avg_pool2d(images, {.kernel = 3, .stride = 2, .padding = 1}));
  check_same(nn::AdaptiveAvgPool2d({3, 2}), images, adaptive_avg_pool2d(images, {3, 2}));
  check_same(nn::GlobalAvgPool2d(), images, global_avg_pool2d(images));
  check_same(nn::Flatten(), images, flatten_chw(images));
  const nn::Embedding table(3, 4);
  check_same(table, ids, embedding(ids, table.weight));
  const nn::LayerNorm layer_norm(6, {.eps = 0.1f}), no_bias(6, {.bias = false});
  fill(layer_norm);
  check_same(layer_norm, x, temper::layer_norm(x, layer_norm.weight, layer_norm.bias, {.eps = 0.1f}));
  check_same(no_bias, x, temper::layer_norm(x, no_bias.weight, {}));
  const auto [total, normed] = layer_norm.add(x, x);
  CHECK(std::ranges::equal(total.values<float>(), (x + x).values<float>()));
  CHECK(std::ranges::equal(normed.values<float>(), layer_norm(x + x).values<float>()));
  const nn::RMSNorm rms_norm(6, 0.2f);
  fill(rms_norm);
  check_same(rms_norm, x, temper::rms_norm(x, rms_norm.weight, {.eps = 0.2f}));

  Tape tape;
  const nn::Dropout dropout(0.5);
  const Tensor dropped = dropout(ones({1000}));
  const auto values = dropped.values<float>();
  CHECK(std::ranges::all_of(values, [](float v) { return v == 0.0f || v == 2.0f; }));
  const auto zeros = std::ranges::count(values, 0.0f);
  CHECK((zeros > 400 && zeros < 600));
}

TEST_CASE("layers throw for invalid options") {
  CHECK_THROWS_WITH_AS(nn::MultiheadAttention(6, {.heads = 4}),
                       "MultiheadAttention: 6 features in 4 heads, expected a multiple", ValueError);
  CHECK_THROWS_WITH_AS(nn::MultiheadAttention(6, {.heads = 2})(zeros({2, 6})),
                       "MultiheadAttention: input [2, 6], expected [N, T, 6]", ShapeError);
  CHECK_THROWS_WITH_AS(nn::BatchNorm2d(0), "BatchNorm2d: 0 channels, expected at least 1", ValueError);
  CHECK_THROWS_WITH_AS(nn::LayerNorm(0), "LayerNorm: 0 features, expected at least 1", ValueError);
  const nn::MultiheadAttention attention(6, {.heads = 2});
  const Tensor x = zeros({2, 3, 6}), tokens = zeros({2, 4, 6});
  const auto bools = [](const Shape& shape) { return zeros(shape, Dtype::boolean); };
  CHECK_THROWS_WITH_AS(attention(x, tokens, {.visible_keys = bools({3, 4})}),
                       "MultiheadAttention: visible_keys bool [3, 4], expected bool [N, S], here [2, 4]", ShapeError);
  CHECK_THROWS_WITH_AS(attention(x, tokens, {.visible_keys = ones({2, 4})}),
                       "MultiheadAttention: visible_keys f32 [2, 4], expected bool [N, S], here [2, 4]", ShapeError);
  for (const Tensor& visible : {bools({2, 4}), bools({2, 3, 4}), bools({2, 1, 3, 3})}) {
    CHECK_THROWS_WITH_AS(attention(x, tokens, {.visible = visible}),
                         ("MultiheadAttention: visible bool " + to_string(visible.shape()) +
                          ", expected bool [T, S] or [N, heads, T, S], here [3, 4] or [2, 2, 3, 4]")
                             .c_str(),
                         ShapeError);
  }
  CHECK_THROWS_WITH_AS(nn::Embedding(3, 2, {.padding = 3}), "Embedding: padding 3, expected one of the 3 ids",
                       ValueError);
  CHECK_THROWS_WITH_AS(nn::Embedding(0, 2), "Embedding: 0 ids and 2 features, expected at least 1 of each", ValueError);
}

TEST_CASE("causal attention over padding on the left gives what is asked for where a query sees no token") {
  manual_seed(3);
  const nn::MultiheadAttention attention(4, {.heads = 2, .causal = true, .empty_rows = EmptyRows::zero});
  const Tensor x = normal({1, 3, 4});
  Tensor visible = zeros({1, 3}, Dtype::boolean);
  visible.mutable_data<bool>()[1] = visible.mutable_data<bool>()[2] = true;
  const Tensor y = attention(x, x, {.visible_keys = visible});
  CHECK(std::ranges::equal(y.view({3, 4}).rows(0, 1).values<float>(), attention.out_proj.bias.value().values<float>()));
  CHECK(std::ranges::all_of(y.values<float>(), [](float value) { return std::isfinite(value); }));
}
