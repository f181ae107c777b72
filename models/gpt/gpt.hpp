#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <temper/nn/layers.hpp>

namespace temper::models {

class GptCache;

/// Sizes of a GPT.
struct GptConfig {
  std::int64_t vocabulary = 256;
  std::int64_t context = 256;  ///< the most tokens it sees at once
  std::int64_t layers = 4;
  std::int64_t heads = 4;
  std::int64_t width = 128;  ///< features of a token, a multiple of the heads
  double dropout =
      0.0;           ///< of the embeddings, attention's probabilities and what each half of a block adds, in training
  bool tied = true;  ///< the head's weight is the token embedding
  /// Standard deviation of the initial weights and embeddings. Those of the projections that add to the residual
  /// stream start narrower, divided by sqrt(2 layers).
  double init_deviation = 0.02;
  /// Keep only what enters a block, and compute the block again for its gradients: see recompute().
  bool recompute = false;
};

// The sizes of GPT-2, of 124 to 1558 million parameters, without dropout.

GptConfig gpt2_124m();
GptConfig gpt2_355m();
GptConfig gpt2_774m();
GptConfig gpt2_1558m();

/// One of a GPT's blocks: x [B, T, width] to [B, T, width]. Causal attention, then two linear layers with GELU between
/// them; each of these halves is normalized first and added to what came in.
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

/// A language model of GPT-2's architecture: tokens [B, T] i64 to logits [B, T, vocabulary], each position seeing
/// itself and what came before; T is at most `context`. Its loss is `cross_entropy(model(tokens), targets)`. Source:
/// Radford et al., "Language models are unsupervised multitask learners" (2019).
class Gpt : public nn::Layer {
 public:
  /// Throws: ValueError for a size below 1, heads that do not divide the width, dropout outside [0, 1), or a deviation
  /// that is not positive.
  explicit Gpt(const GptConfig& config = {});

  /// See Layer. Throws: ShapeError unless the tokens are i64 [B, T] with 1 <= T <= context; ValueError for a token
  /// outside the vocabulary.
  using nn::Layer::operator();
  /// What follows the tokens [T] and those the cache has seen already, without computing those again: logits
  /// [T, vocabulary]. The cache has then seen the new ones too. Unrecorded, and without dropout.
  /// Throws: as above; ShapeError when the tokens do not fit into what the cache has left.
  Tensor operator()(const Tensor& tokens, GptCache& cache) const;

  void members(nn::Members& members) const override;
  std::string description() const override;
  const GptConfig& config() const { return config_; }

  nn::Embedding token_embedding, position_embedding;
  std::vector<GptBlock> blocks;
  nn::LayerNorm norm;
  Parameter head;  ///< [vocabulary, width]; undefined when tied

 protected:
  Tensor forward(const Tensor& tokens) const override;

 private:
  void check(const Tensor& tokens, int rank, std::int64_t room) const;
  /// The positions of `count` tokens after `first`, [count, width].
  Tensor positions(std::int64_t first, std::int64_t count) const;
  Tensor logits(const Tensor& x) const;

  GptConfig config_;
  nn::Dropout dropout_;
};

}  // namespace temper::models
