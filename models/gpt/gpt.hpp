#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <temper/models/language/language_model.hpp>
#include <temper/nn/layers.hpp>

namespace temper::models {

/// Sizes of a GPT.
struct GptConfig {
  std::int64_t vocabulary = 256;
  std::int64_t context = 256;  ///< the longest sequence, in tokens
  std::int64_t layers = 4;
  std::int64_t heads = 4;
  std::int64_t width = 128;  ///< embedding dimension, a multiple of the heads
  double dropout =
      0.0;           ///< of the embeddings, the attention weights and the output of each half of a block, in training
  bool tied = true;  ///< the head's weight is the token embedding
  /// Standard deviation of the initial weights and embeddings. For the projections that add to the residual stream it
  /// is divided by sqrt(2 layers).
  double init_deviation = 0.02;
  /// Activation checkpointing: keep only the input of each block and recompute the block in backward; see recompute().
  bool recompute = false;
};

// The configurations of GPT-2, with 124 to 1558 million parameters, without dropout.

GptConfig gpt2_124m();
GptConfig gpt2_355m();
GptConfig gpt2_774m();
GptConfig gpt2_1558m();

/// A transformer decoder block, pre-norm: x [B, T, width] to [B, T, width]. Causal self-attention, then two linear
/// layers with GELU between them. Each half has a layer norm in front, and its output is added to its input.
class GptBlock : public nn::Layer {
 public:
  explicit GptBlock(const GptConfig& config);

  void members(nn::Members& members) const override;
  std::string description() const override { return "GptBlock"; }

  nn::LayerNorm norm1;
  nn::MultiheadAttention attention;
  nn::LayerNorm norm2;
  nn::Linear up, down;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  friend class Gpt;
  /// The block's second half for x + attended.
  Tensor feed_forward(const Tensor& x, const Tensor& attended) const;

  nn::Dropout dropout_;
};

/// A language model of GPT-2's architecture. Source: Radford et al., "Language models are unsupervised multitask
/// learners" (2019).
class Gpt : public LanguageModel {
 public:
  /// Throws: ValueError for a size below 1, heads that do not divide the width, dropout outside [0, 1), or a deviation
  /// that is not positive.
  explicit Gpt(const GptConfig& config = {});

  void members(nn::Members& members) const override;
  std::string description() const override;
  const GptConfig& config() const { return config_; }

  nn::Embedding token_embedding, position_embedding;
  std::vector<GptBlock> blocks;
  nn::LayerNorm norm;
  Parameter head;  ///< [vocabulary, width]; undefined when tied

 protected:
  Tensor forward(const Tensor& tokens) const override;
  Tensor continued(const Tensor& tokens, KeyValueCache& cache) const override;

 private:
  /// The position embeddings of `count` tokens from position `first` on, [count, width].
  Tensor positions(std::int64_t first, std::int64_t count) const;
  Tensor logits(const Tensor& x) const;

  GptConfig config_;
  nn::Dropout dropout_;
};

}  // namespace temper::models
