#include <temper/models/gpt/gpt.hpp>

#include <cmath>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/recompute.hpp>
#include <temper/autograd/tape.hpp>
#include <temper/models/language/cache.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::models {

namespace {

const GptConfig& checked(const GptConfig& config) {
  const auto& [vocabulary, context, layers, heads, width, dropout, tied, init_deviation, recompute] = config;
  if (vocabulary < 1 || context < 1 || layers < 1 || heads < 1 || width < 1) {
    fail<ValueError>("Gpt: vocabulary {}, context {}, layers {}, heads {}, width {}, expected at least 1 of each",
                     vocabulary, context, layers, heads, width);
  }
  if (width % heads != 0) fail<ValueError>("Gpt: width {} in {} heads, expected a multiple", width, heads);
  if (!(dropout >= 0.0 && dropout < 1.0)) fail<ValueError>("Gpt: dropout {}, expected from 0 to below 1", dropout);
  if (!(init_deviation > 0.0 && std::isfinite(init_deviation))) {
    fail<ValueError>("Gpt: init_deviation {}, expected above 0", init_deviation);
  }
  return config;
}

Parameter normal_parameter(const Shape& shape, double deviation, Role role) {
  return Parameter(normal(shape, 0.0f, static_cast<float>(deviation)), role);
}

void initialize(nn::Linear& layer, double deviation) {
  layer.weight = normal_parameter(layer.weight.shape(), deviation, Role::weight);
  layer.bias = Parameter(zeros(layer.bias.shape()), Role::bias);
}

}  // namespace

GptConfig gpt2_124m() { return {.vocabulary = 50257, .context = 1024, .layers = 12, .heads = 12, .width = 768}; }
GptConfig gpt2_355m() { return {.vocabulary = 50257, .context = 1024, .layers = 24, .heads = 16, .width = 1024}; }
GptConfig gpt2_774m() { return {.vocabulary = 50257, .context = 1024, .layers = 36, .heads = 20, .width = 1280}; }
GptConfig gpt2_1558m() { return {.vocabulary = 50257, .context = 1024, .layers = 48, .heads = 25, .width = 1600}; }

GptBlock::GptBlock(const GptConfig& config)
    : norm1(config.width),
      attention(config.width, {.heads = config.heads, .causal = true, .dropout = config.dropout}),
      norm2(config.width),
      up(config.width, 4 * config.width),
      down(4 * config.width, config.width),
      dropout_(config.dropout) {
  const double deviation = config.init_deviation;
  const double residual = deviation / std::sqrt(2.0 * static_cast<double>(config.layers));
  attention.in_proj_weight = normal_parameter(attention.in_proj_weight.shape(), deviation, Role::weight);
  initialize(attention.out_proj, residual);
  initialize(up, deviation);
  initialize(down, residual);
}

void GptBlock::members(nn::Members& members) const {
  members("norm1", norm1);
  members("attention", attention);
  members("norm2", norm2);
  members("up", up);
  members("down", down);
}

Tensor GptBlock::feed_forward(const Tensor& x, const Tensor& attended) const {
  const auto [sum, normed] = norm2.add(x, attended);
  return sum + dropout_(down(up.gelu(normed, GeluForm::tanh)));
}

Tensor GptBlock::forward(const Tensor& x) const { return feed_forward(x, dropout_(attention(norm1(x)))); }

Gpt::Gpt(const GptConfig& config)
    : LanguageModel("Gpt", checked(config).vocabulary,
                    {.layers = config.layers,
                     .heads = config.heads,
                     .features = config.width / config.heads,
                     .context = config.context}),
      token_embedding(config.vocabulary, config.width),
      position_embedding(config.context, config.width),
      norm(config.width),
      config_(config),
      dropout_(config.dropout) {
  const double deviation = config.init_deviation;
  token_embedding.weight = normal_parameter({config.vocabulary, config.width}, deviation, Role::embedding);
  position_embedding.weight = normal_parameter({config.context, config.width}, deviation, Role::embedding);
  blocks.reserve(static_cast<std::size_t>(config.layers));
  for (std::int64_t i = 0; i < config.layers; ++i) blocks.emplace_back(config);
  if (!config.tied) head = normal_parameter({config.vocabulary, config.width}, deviation, Role::weight);
}

void Gpt::members(nn::Members& members) const {
  members("token_embedding", token_embedding);
  members("position_embedding", position_embedding);
  members("blocks", blocks);
  members("norm", norm);
  members("head.weight", head);
}

std::string Gpt::description() const {
  return fmt::format("Gpt({} layers, {} heads, width {}, context {}, vocabulary {}{})", config_.layers, config_.heads,
                     config_.width, config_.context, config_.vocabulary, config_.tied ? ", tied" : "");
}

Tensor Gpt::positions(std::int64_t first, std::int64_t count) const {
  return count == config_.context ? position_embedding.weight.value()
                                  : slice(position_embedding.weight, 0, first, first + count);
}

Tensor Gpt::logits(const Tensor& x) const {
  return linear(norm(x), head.defined() ? head.value() : token_embedding.weight.value());
}

Tensor Gpt::forward(const Tensor& tokens) const {
  check(tokens);
  Tensor x = dropout_(token_embedding(tokens) + positions(0, tokens.size(1)));
  for (const GptBlock& block : blocks) x = config_.recompute ? recompute(block, x) : block(x);
  return logits(x);
}

Tensor Gpt::continued(const Tensor& tokens, KeyValueCache& cache) const {
  const std::int64_t count = tokens.size(0), heads = config_.heads, features = config_.width / heads;
  Tensor x = token_embedding(tokens) + positions(cache.size(), count);
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    const GptBlock& block = blocks[static_cast<std::size_t>(i)];
    const nn::MultiheadAttention& attention = block.attention;
    const Tensor qkv = linear(block.norm1(x), attention.in_proj_weight, attention.in_proj_bias);
    const Tensor parts = permute(reshape(qkv, {count, 3, heads, features}), {1, 2, 0, 3});
    const auto part = [&](std::int64_t j) { return reshape(slice(parts, 0, j, j + 1), {heads, count, features}); };
    x = block.feed_forward(x, attention.out_proj(cache.attend(i, part(0), part(1), part(2))));
  }
  return logits(x);
}

}  // namespace temper::models
