#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <temper/data/tokenized.hpp>

namespace temper::models {

/// The numbers of the tokens that are no text.
struct SpecialTokens {
  /// Throws: ValueError for a tokenizer without [MASK].
  explicit SpecialTokens(const data::Tokenizer& tokenizer);
  bool contains(std::int64_t token) const { return std::ranges::find(all, token) != all.end(); }

  std::array<std::int64_t, 5> all;
  std::int64_t mask;
};

struct TextBatchesOptions {
  std::int64_t batch_size = 64;
  /// Share of the tokens, special ones apart, that are hidden by [MASK]; other ones each epoch.
  /// Source: Iyyer et al., "Deep unordered composition rivals syntactic methods for text classification" (2015).
  double word_dropout = 0.0;
};

/// Texts in batches of like length, for a Loader of batch size 1 whose examples are whole batches: {tokens [N, T] i64,
/// labels [N] i64}. Little is padding then, and the shapes are few. Which texts share a batch changes with each epoch.
/// Copies share the texts.
class TextBatches {
 public:
  /// Throws: ValueError for a batch size below 1, a share outside 0 to 1, or a tokenizer without [MASK].
  TextBatches(data::Tokenized texts, const data::Tokenizer& tokenizer, const TextBatchesOptions& options = {});

  /// Batches; the last one may be smaller than the others.
  std::int64_t size() const;
  std::array<Tensor, 2> get(std::int64_t i, const data::Epoch& epoch) const;
  /// One batch, without a further axis. Throws: ValueError unless one is asked for.
  std::array<Tensor, 2> batch(std::span<const std::int64_t> indices, const data::Epoch& epoch) const;

 private:
  struct Storage;
  std::shared_ptr<Storage> storage_;
};

/// How the tokens that are to be guessed are shown. What is left of 1 are shown as they are.
struct MaskingOptions {
  double rate = 0.15;     ///< share of the tokens that are to be guessed
  double masked = 0.8;    ///< of these, shown as [MASK]
  double replaced = 0.1;  ///< of these, shown as another token
};

/// The same batches with tokens hidden, anew each epoch: {tokens [N, T], positions [P], targets [P]}, positions counted
/// through the whole batch as BertForMaskedLM::at does. Special tokens are left as they are.
/// Source: Devlin et al. (2019), section 3.1 and appendix A.1.
class MaskedBatches {
 public:
  /// Throws: ValueError for a tokenizer without [MASK], or for shares outside 0 to 1.
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
