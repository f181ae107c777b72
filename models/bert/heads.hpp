#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <temper/models/bert/bert.hpp>

namespace temper::models {

/// A BERT that says which tokens stand where they were masked. The decoder's weight is the token embedding.
class BertForMaskedLM : public nn::Module {
 public:
  explicit BertForMaskedLM(const BertConfig& config = {});

  /// Logits [N, T, vocabulary] for every position.
  Tensor operator()(const Tensor& tokens, const BertInputs& inputs = {}) const;
  /// Logits [P, vocabulary] for some positions, i64 [P], counted through the whole batch: n * T + t. Much cheaper, as
  /// few positions are masked. Throws: ValueError for a position outside the batch.
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

/// What a classifier looks at.
enum class BertPooling {
  first,  ///< the features of the first token through a linear layer and tanh, as in the paper
  mean    ///< the mean of the features of all tokens that are not padding
};

/// A BERT that puts texts into classes: logits [N, classes].
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

/// A BERT that finds the answer to a question in a passage (SQuAD).
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

/// A span of tokens, its last one included.
struct Span {
  std::int64_t start = 0;
  std::int64_t end = 0;

  friend bool operator==(const Span&, const Span&) = default;
};

/// The likeliest span of each text: the one of largest start plus end logit, among those of at most `longest` tokens
/// that lie where `allowed`, bool [N, T], is true. The first one where several are.
/// Throws: ShapeError when the shapes differ; ValueError for a text without an allowed token, or `longest` below 1.
std::vector<Span> best_spans(const SpanLogits& logits, const Tensor& allowed, std::int64_t longest = 30);

}  // namespace temper::models
