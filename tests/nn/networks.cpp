// Compares small networks with recorded results of PyTorch. Weights are loaded by PyTorch's names.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/core/errors.hpp>
#include <temper/nn/layers.hpp>

#include "tests/larger.hpp"

using namespace temper;

namespace {

const nlohmann::json& recorded(const std::string& name) {
  static const nlohmann::json all = [] {
    std::ifstream file(TEMPER_TEST_DIR "/golden/networks.json");
    REQUIRE(file.good());
    return nlohmann::json::parse(file);
  }();
  return all.at(name);
}

/// factor * sin(first), factor * sin(first + 1), ...
Tensor values(const Shape& shape, int first, double factor = 1.0) {
  Tensor tensor = empty(shape);
  for (float& value : tensor.mutable_values<float>()) value = static_cast<float>(factor * std::sin(first++));
  return tensor;
}

void compare(const Tensor& got, const std::vector<double>& expected, double gate) {
  REQUIRE(static_cast<std::size_t>(got.numel()) == expected.size());
  double largest = 1e-6, worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = temper_test::larger(largest, std::abs(expected[i]));
    worst = temper_test::larger(worst, std::abs(static_cast<double>(got.data<float>()[i]) - expected[i]));
  }
  CHECK(worst / largest < gate);
}

/// run(x) returns the outputs in the order in which they were recorded.
template <class Run>
void check(const std::string& name, const nn::Module& module, const Tensor& x, const Run& run) {
  CAPTURE(name);
  const nlohmann::json& golden = recorded(name);
  const std::vector<std::string> names = golden["names"];
  const std::vector<Parameter> parameters = module.parameters();
  REQUIRE(parameters.size() == names.size());
  for (const Parameter& parameter : parameters) {
    const auto found = std::ranges::find(names, parameter.name());
    CAPTURE(parameter.name());
    REQUIRE(found != names.end());
    Tensor value = parameter.value();
    value.copy_from(values(parameter.shape(), 100 * (1 + static_cast<int>(found - names.begin())), 0.3));
  }
  Tape tape;
  tape.watch(x);
  const std::vector<Tensor> outputs = run(x);
  REQUIRE(outputs.size() == golden["y"].size());
  Tensor loss = scalar(0.0f);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    CAPTURE(i);
    compare(outputs[i], golden["y"][i], 2e-6);
    loss = loss + sum(outputs[i] * values(outputs[i].shape(), 7 + static_cast<int>(i)));
  }
  tape.backward(loss);
  compare(tape.gradient(x), golden["dx"], 1e-5);
  for (const Parameter& parameter : parameters) {
    CAPTURE(parameter.name());
    compare(parameter.gradient(), golden["gradients"][parameter.name()], 1e-5);
  }
}

void check_recurrent(const std::string& name, const nn::RecurrentNetwork& layer, const nn::RecurrentState& state = {}) {
  check(name, layer, values({2, 5, 3}, 1), [&](const Tensor& x) {
    const nn::RecurrentResult result = layer(x, state);
    std::vector<Tensor> outputs = {result.y, result.h};
    if (result.c.defined()) outputs.push_back(result.c);
    return outputs;
  });
}

class UNet : public nn::Layer {
 public:
  void members(nn::Members& m) const override {
    m("enter", enter_);
    m("norm1", norm1_);
    m("down", down_);
    m("norm2", norm2_);
    m("up", up_);
    m("leave", leave_);
  }

 protected:
  Tensor forward(const Tensor& x) const override {
    const Tensor skip = silu(norm1_(enter_(x)));
    return leave_(concat({skip, up_(silu(norm2_(down_(skip))))}, -1));
  }

 private:
  nn::Conv2d enter_{2, 4, {.kernel = 3, .padding = 1}};
  nn::GroupNorm norm1_{2, 4};
  nn::Conv2d down_{4, 6, {.kernel = 3, .stride = 2, .padding = 1}};
  nn::GroupNorm norm2_{3, 6};
  nn::ConvTranspose2d up_{6, 4, {.kernel = 2, .stride = 2}};
  nn::Conv2d leave_{8, 1, {.kernel = 1}};
};

/// A block of Llama with Hugging Face's names.
class LlamaBlock : public nn::Layer {
 public:
  void members(nn::Members& m) const override {
    m("input_layernorm", input_layernorm_);
    m("self_attn.q_proj", q_);
    m("self_attn.k_proj", k_);
    m("self_attn.v_proj", v_);
    m("self_attn.o_proj", o_);
    m("post_attention_layernorm", post_attention_layernorm_);
    m("mlp.gate_proj", gate_);
    m("mlp.up_proj", up_);
    m("mlp.down_proj", down_);
  }

 protected:
  Tensor forward(const Tensor& x) const override {
    const Tensor mixed = x + attention(input_layernorm_(x));
    const Tensor in = post_attention_layernorm_(mixed);
    return mixed + down_(swiglu(concat({gate_(in), up_(in)}, -1)));
  }

 private:
  Tensor attention(const Tensor& x) const {
    const std::int64_t n = x.size(0), t = x.size(1);
    const auto heads = [&](const Tensor& y) { return transpose(reshape(y, {n, t, -1, 4}), 1, 2); };
    const Tensor table = rotary_table(t, 4);
    const Tensor y = scaled_dot_product_attention(
        rotary_embedding(heads(q_(x)), table), rotary_embedding(heads(k_(x)), table), heads(v_(x)), {.causal = true});
    return o_(reshape(transpose(y, 1, 2), {n, t, 16}));
  }

  nn::RMSNorm input_layernorm_{16}, post_attention_layernorm_{16};
  nn::Linear q_{16, 16, {.bias = false}}, k_{16, 8, {.bias = false}}, v_{16, 8, {.bias = false}};
  nn::Linear o_{16, 16, {.bias = false}}, gate_{16, 24, {.bias = false}}, up_{16, 24, {.bias = false}};
  nn::Linear down_{24, 16, {.bias = false}};
};

class Llama : public nn::Layer {
 public:
  Llama() : layers_(2) {}
  void members(nn::Members& m) const override {
    m("layers", layers_);
    m("norm", norm_);
  }

 protected:
  Tensor forward(const Tensor& x) const override {
    Tensor y = x;
    for (const LlamaBlock& layer : layers_) y = layer(y);
    return norm_(y);
  }

 private:
  std::vector<LlamaBlock> layers_;
  nn::RMSNorm norm_{16};
};

}  // namespace

TEST_CASE("recurrent networks agree with PyTorch: two layers, both directions, lengths, without bias") {
  check_recurrent("lstm", nn::LSTM(3, 4, {.layers = 2, .bidirectional = true}));
  check_recurrent("lstm_lengths", nn::LSTM(3, 4, {.bidirectional = true}), {.lengths = indices({5, 2})});
  check_recurrent("gru", nn::GRU(3, 4, {.layers = 2, .bidirectional = true}));
  check_recurrent("rnn", nn::RNN(3, 4, {.bias = false}));
  check_recurrent("rnn_relu", nn::RNN(3, 4, {}, nn::RnnFunction::relu));
}

TEST_CASE("a U-Net with group norm and a transposed convolution agrees with PyTorch") {
  const UNet network;
  check("unet", network, values({2, 6, 4, 2}, 1), [&](const Tensor& x) { return std::vector<Tensor>{network(x)}; });
}

TEST_CASE("blocks of Llama agree with PyTorch: grouped queries, rotary positions, RMS norm, SwiGLU") {
  const Llama network;
  check("llama", network, values({2, 7, 16}, 1), [&](const Tensor& x) { return std::vector<Tensor>{network(x)}; });
}

TEST_CASE("a recurrent network continues from a given state, and throws for one that does not fit") {
  const nn::LSTM layer(3, 4);
  const Tensor x = values({2, 6, 3}, 1);
  const nn::RecurrentResult whole = layer(x), first = layer(slice(x, 1, 0, 2));
  const nn::RecurrentResult second = layer(slice(x, 1, 2, 6), {.h = first.h, .c = first.c});
  for (std::int64_t i = 0; i < whole.h.numel(); ++i) {
    CHECK(second.h.data<float>()[i] == doctest::Approx(whole.h.data<float>()[i]).epsilon(1e-6));
  }
  CHECK(layer.description() == "LSTM(3, 4)");
  CHECK(nn::GRU(3, 4, {.layers = 2, .bidirectional = true}).description() == "GRU(3, 4, 2 layers, bidirectional)");
  CHECK_THROWS_WITH_AS(layer(values({2, 6, 4}, 1)), "LSTM: input [2, 6, 4], expected [N, T, 3]", ShapeError);
  CHECK_THROWS_WITH_AS(layer(x, {.h = zeros({1, 3, 4})}), "LSTM: state [1, 3, 4], input [2, 6, 3] expects [1, 2, 4]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(nn::LSTM(3, 0), "LSTM: 3 inputs, 0 hidden, 1 layers; expected at least 1 of each", ValueError);
  CHECK_THROWS_WITH_AS(nn::GRU(3, 4, {.dropout = 1.0}), "GRU: dropout is 1, expected from 0 to below 1", ValueError);
}

TEST_CASE("convolutions of sequences and volumes, and norms of groups, have PyTorch's shapes") {
  const nn::Conv1d causal(3, 5, {.kernel = 3, .padding = {4, 0}, .dilation = 2});
  CHECK(causal(ones({2, 9, 3})).shape() == Shape{2, 9, 5});
  CHECK(causal.weight.shape() == Shape{5, 3, 3});
  CHECK(causal.description() == "Conv1d(3, 5, kernel 3)");
  const nn::Conv3d volume(2, 4, {.kernel = {1, 2, 3}, .groups = 2});
  CHECK(volume.weight.shape() == Shape{4, 1, 1, 2, 3});
  CHECK(volume(ones({1, 2, 3, 4, 2})).shape() == Shape{1, 2, 2, 2, 4});
  const nn::ConvTranspose1d longer(4, 6, {.kernel = 4, .stride = 2, .padding = 1, .groups = 2, .bias = false});
  CHECK(longer.weight.shape() == Shape{4, 3, 4});
  CHECK_FALSE(longer.bias.defined());
  CHECK(longer(ones({1, 5, 4})).shape() == Shape{1, 10, 6});
  CHECK(nn::InstanceNorm(4).parameters().empty());
  CHECK(nn::GroupNorm(2, 4).parameters().size() == 2);
  CHECK_THROWS_WITH_AS(nn::GroupNorm(3, 4), "GroupNorm: 3 groups do not divide 4 channels", ValueError);
  CHECK_THROWS_WITH_AS(nn::GroupNorm(2, 4)(ones({2, 3})), "GroupNorm: input [2, 3], expected [N, ..., 4]", ShapeError);
  CHECK_THROWS_AS(nn::Conv1d(3, 5, {.kernel = 3, .groups = 2}), ValueError);
}
