#include <temper/models/bert/bert.hpp>

#include <temper/autograd/ops/arithmetic.hpp>
#include <temper/autograd/ops/shape.hpp>
#include <temper/autograd/recompute.hpp>

#include "framework/core/format_internal.hpp"
#include "models/bert/init_internal.hpp"

namespace temper::models {

namespace {

const BertConfig& checked(const BertConfig& config) {
  const auto positive = [](const char* what, std::int64_t size) {
    if (size < 1) fail<ValueError>("Bert: {} {}, expected at least 1", what, size);
  };
  positive("vocabulary", config.vocabulary);
  positive("positions", config.positions);
  positive("token_types", config.token_types);
  positive("layers", config.layers);
  positive("hidden", config.hidden);
  if (!(config.init_deviation > 0))
    fail<ValueError>("Bert: init_deviation {}, expected above 0", config.init_deviation);
  return config;
}

}  // namespace

Tensor length_mask(std::span<const std::int64_t> lengths, std::int64_t size) {
  const auto count = static_cast<std::int64_t>(lengths.size());
  for (const std::int64_t length : lengths) {
    if (length < 1 || length > size) fail<ValueError>("length_mask: length {}, expected 1 to {}", length, size);
  }
  Tensor mask = zeros({count, size}, Dtype::boolean);
  bool* row = mask.mutable_data<bool>();
  for (const std::int64_t length : lengths) {
    std::fill_n(row, length, true);
    row += size;
  }
  return mask;
}

BertBlock::BertBlock(const BertConfig& config)
    : attention(config.width, {.heads = config.heads, .dropout = config.dropout}),
      attention_norm(config.width, {.eps = config.eps}),
      up(config.width, config.hidden),
      down(config.hidden, config.width),
      norm(config.width, {.eps = config.eps}),
      dropout_(config.dropout) {
  for (const Parameter& parameter : parameters()) initialize_bert(parameter, config.init_deviation);
}

Tensor BertBlock::operator()(const Tensor& x, const Tensor& mask) const {
  const Tensor attended = attention_norm.add(x, dropout_(attention(x, x, {.visible_keys = mask}))).norm;
  return norm.add(attended, dropout_(down(up.gelu(attended)))).norm;
}

void BertBlock::members(nn::Members& members) const {
  members("attention", attention);
  members("attention_norm", attention_norm);
  members("up", up);
  members("down", down);
  members("norm", norm);
}

Bert::Bert(const BertConfig& config)
    : token_embedding(checked(config).vocabulary, config.width),
      position_embedding(config.positions, config.width),
      type_embedding(config.token_types, config.width),
      norm(config.width, {.eps = config.eps}),
      config_(config),
      dropout_(config.dropout) {
  for (const nn::Embedding* embedding : {&token_embedding, &position_embedding, &type_embedding}) {
    initialize_bert(embedding->weight, config.init_deviation);
  }
  blocks.reserve(static_cast<std::size_t>(config.layers));
  for (std::int64_t i = 0; i < config.layers; ++i) blocks.emplace_back(config);
}

Tensor Bert::operator()(const Tensor& tokens, const BertInputs& inputs) const {
  const auto [mask, types] = inputs;
  if (tokens.dtype() != Dtype::i64 || tokens.rank() != 2 || tokens.size(1) < 1 || tokens.size(1) > config_.positions) {
    fail<ShapeError>("Bert: tokens {} {}, expected i64 [N, T] with T from 1 to {}", tokens.dtype(), tokens.shape(),
                     config_.positions);
  }
  if (mask.defined() && (mask.dtype() != Dtype::boolean || !(mask.shape() == tokens.shape()))) {
    fail<ShapeError>("Bert: mask {} {}, expected bool {} as the tokens", mask.dtype(), mask.shape(), tokens.shape());
  }
  if (types.defined() && !(types.shape() == tokens.shape())) {
    fail<ShapeError>("Bert: token_types {}, expected {} as the tokens", types.shape(), tokens.shape());
  }
  const std::int64_t length = tokens.size(1);
  const Tensor type = types.defined() ? type_embedding(types) : slice(type_embedding.weight, 0, 0, 1);
  Tensor x = token_embedding(tokens) + slice(position_embedding.weight, 0, 0, length) + type;
  x = dropout_(norm(x));
  for (const BertBlock& block : blocks) x = config_.recompute ? recompute(block, x, mask) : block(x, mask);
  return x;
}

void Bert::members(nn::Members& members) const {
  members("token_embedding", token_embedding);
  members("position_embedding", position_embedding);
  members("type_embedding", type_embedding);
  members("norm", norm);
  members("blocks", blocks);
}

std::string Bert::description() const {
  return fmt::format("Bert({} layers, {} heads, width {})", config_.layers, config_.heads, config_.width);
}

}  // namespace temper::models
