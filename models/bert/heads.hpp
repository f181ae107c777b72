#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <temper/models/bert/bert.hpp>

namespace temper::models {

/// The mean of the features [N, T, E] of the tokens that are not padding, f32 [N, E]; the mask is bool [N, T], or
/// undefined when there is no padding; 0 for a text that has no tokens. Scaled to length 1,
/// `normalize(mean_of_tokens(bert(tokens, inputs), inputs.mask))`, it is the embedding of a text that
/// sentence-transformers computes. Source: Reimers, Gurevych, "Sentence-BERT" (2019).
Tensor mean_of_tokens(const Tensor& features, const Tensor& mask);

/// BERT with a head that predicts masked tokens. The decoder's weight is tied to the token embedding.
class BertForMaskedLM : public nn::Module {
 public:
  explicit BertForMaskedLM(const BertConfig& config = {});

  /// Logits [N, T, vocabulary] for all positions.
  Tensor operator()(const Tensor& tokens, const BertInputs& inputs = {}) const;
  /// Logits [P, vocabulary] for the positions n * T + t, i64 [P], alone: much cheaper than for all, as few tokens are
  /// masked. Throws: ValueError for a position outside the batch.
  Tensor at(const Tensor& positions, const Tensor& tokens, const BertInputs& inputs = {}) const;

  void members(nn::Members& members) const override;
  std::string description() const override { return "BertForMaskedLM"; }

  Bert bert;
  nn::Linear transform;
  nn::LayerNorm norm;
  Parameter bias;  ///< [vocabulary]

 private:
  Tensor decode(const Tensor& features) const;
};

/// The features a classifier uses.
enum class BertPooling {
  first,  ///< the features of the first token through a linear layer and tanh, as in the paper
  mean    ///< the mean of the features of all tokens that are not padding
};

/// BERT with a head that classifies texts: tokens [N, T] to logits [N, classes].
class BertForClassification : public nn::Module {
 public:
  /// Throws: ValueError for less than one class, and as Bert.
  BertForClassification(const BertConfig& config, std::int64_t classes, BertPooling pooling = BertPooling::first);

  Tensor operator()(const Tensor& tokens, const BertInputs& inputs = {}) const;

  void members(nn::Members& members) const override;
  std::string description() const override { return "BertForClassification"; }
  BertPooling pooling() const { return pooling_; }

  Bert bert;
  nn::Linear pooler;
  nn::Linear classifier;

 private:
  BertPooling pooling_;
  nn::Dropout dropout_;
};

/// Where an answer begins and ends: logits [N, T] each.
struct SpanLogits {
  Tensor starts, ends;
};

/// BERT with a head that finds the answer to a question in a passage (SQuAD).
class BertForQuestionAnswering : public nn::Module {
 public:
  explicit BertForQuestionAnswering(const BertConfig& config = {});

  SpanLogits operator()(const Tensor& tokens, const BertInputs& inputs = {}) const;

  void members(nn::Members& members) const override;
  std::string description() const override { return "BertForQuestionAnswering"; }

  Bert bert;
  nn::Linear outputs;
};

/// The mean of the cross entropies of starts and ends, i64 [N] each.
Tensor span_loss(const SpanLogits& logits, const Tensor& starts, const Tensor& ends);

/// The tokens from start to end, both included.
struct Span {
  std::int64_t start = 0;
  std::int64_t end = 0;

  friend bool operator==(const Span&, const Span&) = default;
};

/// The most likely span of each text: the one with the largest sum of start and end logits among the spans of at most
/// `longest` tokens whose ends are `allowed`, bool [N, T]. The first of equally likely ones.
/// Throws: ShapeError when the shapes differ; ValueError for a text without an allowed token, or `longest` below 1.
std::vector<Span> best_spans(const SpanLogits& logits, const Tensor& allowed, std::int64_t longest = 30);

}  // namespace temper::models
