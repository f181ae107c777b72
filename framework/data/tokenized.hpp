#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <temper/data/dataset.hpp>
#include <temper/data/tokenizer.hpp>

namespace temper::data {

struct TokenizedOptions {
  std::int64_t max_length = 128;  ///< tokens, the special ones included; the ends of longer texts are cut off
  std::int64_t pad_multiple = 8;  ///< batches are padded to a multiple of it, or to max_length: few different shapes
};

/// Texts with a label each, as tokens: example i is {ids i64 [length], label i64 []}, where the ids are [CLS] text
/// [SEP]. A batch is {ids [N, longest], labels [N]}, its shorter texts filled up with [PAD]. Copies share the tokens.
class Tokenized {
 public:
  /// Throws: ShapeError for numbers of texts and labels that differ; ValueError for a tokenizer without [PAD], [CLS] or
  /// [SEP], or a max_length below 3.
  Tokenized(std::span<const std::string> texts, std::span<const std::int64_t> labels, const Tokenizer& tokenizer,
            const TokenizedOptions& options = {});

  std::int64_t size() const;
  /// Throws: ValueError for an example that is not there.
  std::array<Tensor, 2> get(std::int64_t i) const;
  std::array<Tensor, 2> batch(std::span<const std::int64_t> indices) const;
  /// Tokens of each text, the special ones included: for by_length.
  std::vector<std::int64_t> lengths() const;

 private:
  struct Storage;
  std::shared_ptr<const Storage> storage_;
};

}  // namespace temper::data
