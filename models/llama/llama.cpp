#include <temper/models/llama/llama.hpp>

#include <cmath>
#include <utility>

#include <temper/autograd/ops.hpp>
#include <temper/autograd/recompute.hpp>
#include <temper/models/language/cache.hpp>

#include "framework/core/format_internal.hpp"

namespace temper::models {

namespace {

/// The configuration with nothing left at 0.
LlamaConfig completed(LlamaConfig config) {
  const auto& [vocabulary, context, layers, heads, kv_heads, width, head_features, hidden, eps, rotary, tied, qkv_bias,
               output_bias, feed_forward_bias, init_deviation, recompute] = config;
  if (vocabulary < 1 || context < 1 || layers < 1 || heads < 1 || width < 1 || hidden < 1) {
    fail<ValueError>(
        "Llama: vocabulary {}, context {}, layers {}, heads {}, width {}, hidden {}, expected at least 1 of each",
        vocabulary, context, layers, heads, width, hidden);
  }
  if (kv_heads < 0 || (kv_heads > 0 && heads % kv_heads != 0)) {
    fail<ValueError>("Llama: {} heads of queries, {} of keys, expected a multiple", heads, kv_heads);
  }
  if (head_features == 0 && width % heads != 0) {
    fail<ValueError>("Llama: width {} in {} heads, expected a multiple, or head_features", width, heads);
  }
  if (!(init_deviation > 0.0 && std::isfinite(init_deviation))) {
    fail<ValueError>("Llama: init_deviation {}, expected above 0", init_deviation);
  }
  if (kv_heads == 0) config.kv_heads = heads;
  if (head_features == 0) config.head_features = width / heads;
  if (head_features < 1 || head_features % 2 != 0) {
    fail<ValueError>("Llama: {} features in a head, expected an even number above 0", head_features);
  }
  return config;
}

Parameter normal_parameter(const Shape& shape, double deviation, Role role) {
  return Parameter(normal(shape, 0.0f, static_cast<float>(deviation)), role);
}

void initialize(nn::Linear& layer, double deviation) {
  layer.weight = normal_parameter(layer.weight.shape(), deviation, Role::weight);
  if (layer.bias.defined()) layer.bias = Parameter(zeros(layer.bias.shape()), Role::bias);
}

double residual_deviation(const LlamaConfig& config) {
  return config.init_deviation / std::sqrt(2.0 * static_cast<double>(config.layers));
}

}  // namespace

LlamaConfig smollm2_135m() {
  return {.vocabulary = 49152,
          .context = 8192,
          .layers = 30,
          .heads = 9,
          .kv_heads = 3,
          .width = 576,
          .hidden = 1536,
          .rotary = {.base = 100000.0}};
}

LlamaConfig tinyllama_1100m() {
  return {.vocabulary = 32000,
          .context = 2048,
          .layers = 22,
          .heads = 32,
          .kv_heads = 4,
          .width = 2048,
          .hidden = 5632,
          .tied = false};
}

LlamaConfig qwen2_500m() {
  return {.vocabulary = 151936,
          .context = 32768,
          .layers = 24,
          .heads = 14,
          .kv_heads = 2,
          .width = 896,
          .hidden = 4864,
          .eps = 1e-6f,
          .rotary = {.base = 1000000.0},
          .qkv_bias = true};
}

LlamaAttention::LlamaAttention(const LlamaConfig& config, Tensor table)
    : q_proj(config.width, config.heads * config.head_features, {.bias = config.qkv_bias}),
      k_proj(config.width, config.kv_heads * config.head_features, {.bias = config.qkv_bias}),
      v_proj(config.width, config.kv_heads * config.head_features, {.bias = config.qkv_bias}),
      o_proj(config.heads * config.head_features, config.width, {.bias = config.output_bias}),
      features_(config.head_features),
      table_(std::move(table)) {
  for (nn::Linear* layer : {&q_proj, &k_proj, &v_proj}) initialize(*layer, config.init_deviation);
  initialize(o_proj, residual_deviation(config));
}

void LlamaAttention::members(nn::Members& members) const {
  members("q_proj", q_proj);
  members("k_proj", k_proj);
  members("v_proj", v_proj);
  members("o_proj", o_proj);
}

std::string LlamaAttention::description() const {
  return fmt::format("LlamaAttention({} heads of queries, {} of keys and values, {} features)",
                     q_proj.weight.shape()[0] / features_, k_proj.weight.shape()[0] / features_, features_);
}

Tensor LlamaAttention::project(const nn::Linear& layer, const Tensor& x, std::int64_t first) const {
  const Tensor y = layer(x);
  const Tensor heads = reshape(y, {x.size(0), x.size(1), y.size(2) / features_, features_});
  return permute(first < 0 ? heads : rotary_embedding(heads, table_, {.axis = 1, .offset = first}), {0, 2, 1, 3});
}

Tensor LlamaAttention::forward(const Tensor& x) const {
  const Tensor y = scaled_dot_product_attention(project(q_proj, x, 0), project(k_proj, x, 0), project(v_proj, x, -1),
                                                {.causal = true});
  return o_proj(flatten(permute(y, {0, 2, 1, 3}), 2));
}

Tensor LlamaAttention::operator()(const Tensor& x, std::int64_t layer, KeyValueCache& cache) const {
  const Tensor batch = reshape(x, {1, x.size(0), x.size(1)});
  const auto part = [&](const nn::Linear& projection, std::int64_t first) {
    const Tensor y = project(projection, batch, first);
    return reshape(y, {y.size(1), y.size(2), y.size(3)});
  };
  return o_proj(cache.attend(layer, part(q_proj, cache.size()), part(k_proj, cache.size()), part(v_proj, -1)));
}

LlamaBlock::LlamaBlock(const LlamaConfig& config, Tensor table)
    : norm1(config.width, config.eps),
      norm2(config.width, config.eps),
      attention(config, std::move(table)),
      gate_proj(config.width, config.hidden, {.bias = config.feed_forward_bias}),
      up_proj(config.width, config.hidden, {.bias = config.feed_forward_bias}),
      down_proj(config.hidden, config.width, {.bias = config.feed_forward_bias}) {
  initialize(gate_proj, config.init_deviation);
  initialize(up_proj, config.init_deviation);
  initialize(down_proj, residual_deviation(config));
}

void LlamaBlock::members(nn::Members& members) const {
  members("norm1", norm1);
  members("attention", attention);
  members("norm2", norm2);
  members("gate_proj", gate_proj);
  members("up_proj", up_proj);
  members("down_proj", down_proj);
}

Tensor LlamaBlock::feed_forward(const Tensor& x, const Tensor& attended) const {
  const Tensor sum = x + attended, normed = norm2(sum);
  return sum + down_proj(gate_proj.silu(normed) * up_proj(normed));
}

Tensor LlamaBlock::forward(const Tensor& x) const { return feed_forward(x, attention(norm1(x))); }

Llama::Llama(const LlamaConfig& config) : Llama(completed(config), true) {}

Llama::Llama(const LlamaConfig& config, bool)
    : LanguageModel("Llama", config.vocabulary,
                    {.layers = config.layers,
                     .heads = config.kv_heads,
                     .features = config.head_features,
                     .context = config.context}),
      token_embedding(config.vocabulary, config.width),
      norm(config.width, config.eps),
      config_(config) {
  const double deviation = config.init_deviation;
  token_embedding.weight = normal_parameter({config.vocabulary, config.width}, deviation, Role::embedding);
  const Tensor table = rotary_table(config.context, config.head_features, config.rotary);  // one for all blocks
  blocks.reserve(static_cast<std::size_t>(config.layers));
  for (std::int64_t i = 0; i < config.layers; ++i) blocks.emplace_back(config, table);
  if (!config.tied) head = normal_parameter({config.vocabulary, config.width}, deviation, Role::weight);
}

void Llama::members(nn::Members& members) const {
  members("token_embedding", token_embedding);
  members("blocks", blocks);
  members("norm", norm);
  members("head.weight", head);
}

std::string Llama::description() const {
  return fmt::format(
      "Llama({} layers, {} heads of queries, {} of keys and values, width {}, hidden {}, context {}, "
      "vocabulary {}{})",
      config_.layers, config_.heads, config_.kv_heads, config_.width, config_.hidden, config_.context,
      config_.vocabulary, config_.tied ? ", tied" : "");
}

Tensor Llama::logits(const Tensor& x) const {
  return linear(norm(x), head.defined() ? head.value() : token_embedding.weight.value());
}

Tensor Llama::forward(const Tensor& tokens) const {
  check(tokens);
  Tensor x = token_embedding(tokens);
  for (const LlamaBlock& block : blocks) x = config_.recompute ? recompute(block, x) : block(x);
  return logits(x);
}

Tensor Llama::continued(const Tensor& tokens, KeyValueCache& cache) const {
  Tensor x = token_embedding(tokens);
  for (std::int64_t i = 0; i < config_.layers; ++i) {
    const LlamaBlock& block = blocks[static_cast<std::size_t>(i)];
    x = block.feed_forward(x, block.attention(block.norm1(x), i, cache));
  }
  return logits(x);
}

}  // namespace temper::models
