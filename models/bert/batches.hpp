#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <temper/data/tokenized.hpp>

namespace temper::models {

/// The ids of the special tokens: padding, unknown, [CLS], [SEP], [MASK].
struct SpecialTokens {
  /// Throws: ValueError for a tokenizer without [MASK].
  explicit SpecialTokens(const data::Tokenizer& tokenizer);
  bool contains(std::int64_t token) const { return std::ranges::find(all, token) != all.end(); }

  std::array<std::int64_t, 5> all;
  std::int64_t mask;
};

struct TextBatchesOptions {
  std::int64_t batch_size = 64;
  /// Fraction of the tokens, special ones excluded, that are replaced by [MASK]; drawn anew each epoch.
  /// Source: Iyyer et al., "Deep unordered composition rivals syntactic methods for text classification" (2015).
  double word_dropout = 0.0;
};

/// Texts in batches of similar length, which need little padding and have few different shapes: {tokens [N, T] i64,
/// labels [N] i64}. Its examples are whole batches, so its Loader must have batch size 1. Which texts share a batch
/// changes with each epoch. Copies share the texts.
class TextBatches {
 public:
  /// Throws: ValueError for a batch size below 1, a word_dropout outside [0, 1], or a tokenizer without [MASK].
  TextBatches(data::Tokenized texts, const data::Tokenizer& tokenizer, const TextBatchesOptions& options = {});

  /// The number of batches; the last one may be smaller than the others.
  std::int64_t size() const;
  std::array<Tensor, 2> get(std::int64_t i, const data::Epoch& epoch) const;
  /// get(indices[0]), without a further axis. Throws: ValueError unless there is exactly one index.
  std::array<Tensor, 2> batch(std::span<const std::int64_t> indices, const data::Epoch& epoch) const;

 private:
  struct Storage;
  std::shared_ptr<Storage> storage_;
};

/// What the model sees in place of the tokens it predicts. The remaining 1 - masked - replaced of them are unchanged.
struct MaskingOptions {
  double rate = 0.15;     ///< fraction of the tokens that are predicted
  double masked = 0.8;    ///< fraction of these that are replaced by [MASK]
  double replaced = 0.1;  ///< fraction of these that are replaced by a random token
};

/// The batches of TextBatches for masked language modelling, masked anew each epoch: {tokens [N, T], positions [P],
/// targets [P]}, all i64, with the flat positions n * T + t of BertForMaskedLM::at(). Special tokens stay.
/// Source: Devlin et al. (2019), section 3.1 and appendix A.1.
class MaskedBatches {
 public:
  /// Throws: ValueError for a tokenizer without [MASK], for fractions outside [0, 1] or masked + replaced above 1.
  MaskedBatches(TextBatches batches, const data::Tokenizer& tokenizer, const MaskingOptions& options = {});

  std::int64_t size() const { return batches_.size(); }
  std::array<Tensor, 3> get(std::int64_t i, const data::Epoch& epoch) const;
  std::array<Tensor, 3> batch(std::span<const std::int64_t> indices, const data::Epoch& epoch) const;

 private:
  TextBatches batches_;
  SpecialTokens special_;
  std::int64_t vocabulary_;
  MaskingOptions options_;
};

}  // namespace temper::models
