#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <temper/nn/layers.hpp>

namespace temper::models {

/// Sizes of a BERT. The defaults are those of BERT base.
struct BertConfig {
  std::int64_t vocabulary = 30522;
  std::int64_t positions = 512;  ///< the longest text, in tokens
  std::int64_t token_types = 2;  ///< kinds of segments, such as question and passage
  std::int64_t layers = 12;
  std::int64_t heads = 12;
  std::int64_t width = 768;    ///< embedding dimension, a multiple of the heads
  std::int64_t hidden = 3072;  ///< features between the two linear layers of a block
  double dropout =
      0.1;             ///< of the embeddings, the attention weights and the output of each half of a block, in training
  float eps = 1e-12f;  ///< of the layer norms
  double init_deviation = 0.02;  ///< standard deviation of the initial weights and embeddings
  /// Activation checkpointing: keep only the input of each block and recompute the block in backward; see recompute().
  bool recompute = false;
};

/// The inputs besides the tokens [N, T].
struct BertInputs {
  Tensor mask = {};         ///< bool [N, T], false for padding; undefined when there is none
  Tensor token_types = {};  ///< i64 [N, T], undefined for all 0
};

/// The mask of texts of these lengths, padded at the end to `size` tokens: bool [N, size].
/// Throws: ValueError for a length outside 1 to `size`.
Tensor length_mask(std::span<const std::int64_t> lengths, std::int64_t size);

/// A transformer encoder block, post-norm: self-attention, then two linear layers with GELU between them. The output of
/// each half is added to its input, and the sum goes through a layer norm.
class BertBlock : public nn::Module {
 public:
  explicit BertBlock(const BertConfig& config);

  /// x [N, T, width] to [N, T, width]; the mask is bool [N, T], true for visible tokens, or undefined.
  Tensor operator()(const Tensor& x, const Tensor& mask) const;

  void members(nn::Members& members) const override;
  std::string description() const override { return "BertBlock"; }

  nn::MultiheadAttention attention;
  nn::LayerNorm attention_norm;
  nn::Linear up, down;
  nn::LayerNorm norm;

 private:
  nn::Dropout dropout_;
};

/// BERT's encoder: tokens [N, T] i64 to features [N, T, width]. Each position attends to all positions but padding; the
/// features at padding are meaningless. Source: Devlin, Chang, Lee, Toutanova, "BERT: pre-training of deep
/// bidirectional transformers for language understanding" (2019).
class Bert : public nn::Module {
 public:
  /// Throws: ValueError for a size below 1, heads that do not divide the width, dropout outside [0, 1), or a deviation
  /// that is not positive.
  explicit Bert(const BertConfig& config = {});

  /// Throws: ShapeError unless the tokens are i64 [N, T] with 1 <= T <= positions, and mask and types fit them;
  /// ValueError for a token or a type that does not exist, and for a text with nothing but padding.
  Tensor operator()(const Tensor& tokens, const BertInputs& inputs = {}) const;

  void members(nn::Members& members) const override;
  std::string description() const override;
  const BertConfig& config() const { return config_; }

  nn::Embedding token_embedding, position_embedding, type_embedding;
  nn::LayerNorm norm;
  std::vector<BertBlock> blocks;

 private:
  BertConfig config_;
  nn::Dropout dropout_;
};

}  // namespace temper::models
