#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <temper/autograd/ops/rotary.hpp>
#include <temper/models/language/language_model.hpp>
#include <temper/nn/layers.hpp>

namespace temper::models {

/// Sizes and variants of a Llama. Hugging Face's names of the same are in brackets.
struct LlamaConfig {
  std::int64_t vocabulary = 256;   ///< [vocab_size]
  std::int64_t context = 256;      ///< the longest sequence, in tokens [max_position_embeddings]
  std::int64_t layers = 4;         ///< [num_hidden_layers]
  std::int64_t heads = 4;          ///< of queries [num_attention_heads]
  std::int64_t kv_heads = 0;       ///< of keys and values, a divisor of heads; 0: heads [num_key_value_heads]
  std::int64_t width = 128;        ///< embedding dimension [hidden_size]
  std::int64_t head_features = 0;  ///< even; 0: width / heads [head_dim]
  std::int64_t hidden = 344;       ///< features between the feed-forward layers [intermediate_size]
  float eps = 1e-5f;               ///< of the norms [rms_norm_eps]
  RotaryTableOptions rotary = {};  ///< base and scaling [rope_theta, rope_scaling]
  bool tied = true;                ///< the head's weight is the token embedding [tie_word_embeddings]
  bool qkv_bias = false;           ///< queries, keys and values have biases, as in Qwen2
  bool output_bias = false;        ///< attention's output has one; with qkv_bias [attention_bias]
  bool feed_forward_bias = false;  ///< [mlp_bias]
  double init_deviation = 0.02;    ///< as of Gpt: divided by sqrt(2 layers) for what adds to the residual stream
  bool recompute = false;          ///< keep only the input of each block and recompute it in backward; see recompute()
};

// The configurations of published models.

LlamaConfig smollm2_135m();
LlamaConfig tinyllama_1100m();
LlamaConfig qwen2_500m();  ///< also Qwen2.5 0.5B, whose context is the same

/// Causal attention of Llama: grouped queries, rotated by position. x [B, T, width] to [B, T, width].
class LlamaAttention : public nn::Layer {
 public:
  /// For a valid configuration. `table` is the rotary_table of its context.
  LlamaAttention(const LlamaConfig& config, Tensor table);

  void members(nn::Members& members) const override;
  std::string description() const override;
  /// The attention of tokens x [T, width] to those in a cache, after which they come, and to themselves.
  Tensor operator()(const Tensor& x, std::int64_t layer, KeyValueCache& cache) const;
  using nn::Layer::operator();

  /// Of queries, keys and values, and of what the heads give.
  nn::Linear q_proj, k_proj, v_proj, o_proj;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  /// What a projection gives, by heads: x [B, T, width] to [B, heads, T, features], rotated from position `first` on
  /// unless that is -1.
  Tensor project(const nn::Linear& layer, const Tensor& x, std::int64_t first) const;

  std::int64_t features_;
  Tensor table_;
};

/// A decoder block of Llama: x [B, T, width] to [B, T, width]. Attention, then a gated feed-forward part (SwiGLU). Each
/// half has an RMSNorm in front, and its output is added to its input.
class LlamaBlock : public nn::Layer {
 public:
  /// As LlamaAttention.
  LlamaBlock(const LlamaConfig& config, Tensor table);

  void members(nn::Members& members) const override;
  std::string description() const override { return "LlamaBlock"; }

  /// In front of attention, and of the feed-forward part.
  nn::RMSNorm norm1, norm2;
  LlamaAttention attention;
  /// The feed-forward part: down_proj(silu(gate_proj(x)) * up_proj(x)).
  nn::Linear gate_proj, up_proj, down_proj;

 protected:
  Tensor forward(const Tensor& x) const override;

 private:
  friend class Llama;
  /// The block's second half for x + attended.
  Tensor feed_forward(const Tensor& x, const Tensor& attended) const;
};

/// A language model of Llama's architecture, which SmolLM2, TinyLlama, Mistral and Qwen2 share.
/// Source: Touvron et al., "LLaMA: open and efficient foundation language models" (2023); Grattafiori et al., "The
/// Llama 3 herd of models" (2024).
class Llama : public LanguageModel {
 public:
  /// Throws: ValueError for a size below 1, heads that do not divide by kv_heads, an odd number of features in a head,
  /// or a deviation that is not positive.
  explicit Llama(const LlamaConfig& config = {});

  void members(nn::Members& members) const override;
  std::string description() const override;
  /// The configuration, with kv_heads and head_features filled in.
  const LlamaConfig& config() const { return config_; }

  nn::Embedding token_embedding;
  std::vector<LlamaBlock> blocks;
  nn::RMSNorm norm;
  Parameter head;  ///< [vocabulary, width]; undefined when tied

 protected:
  Tensor forward(const Tensor& tokens) const override;
  Tensor continued(const Tensor& tokens, KeyValueCache& cache) const override;

 private:
  explicit Llama(const LlamaConfig& config, bool complete);
  Tensor logits(const Tensor& x) const;

  LlamaConfig config_;
};

}  // namespace temper::models
