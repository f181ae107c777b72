#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include <temper/data/dataset.hpp>
#include <temper/data/token_file.hpp>

namespace temper::data {

namespace detail {
class TokenText;
}  // namespace detail

struct TextDatasetOptions {
  std::int64_t length = 256;  ///< tokens of an example
};

/// A long text to learn to continue: example i is {inputs i64 [length], targets i64 [length]}, where each target is the
/// token after its input. An epoch is the text cut into pieces one after the other, from a random beginning below
/// `length` that each epoch draws, so that over the epochs a token is seen in every place of an example. Copies share
/// the text.
class TextDataset {
 public:
  /// Throws: ValueError for a length below 1, or fewer than length + 1 tokens.
  explicit TextDataset(std::span<const std::int64_t> ids, const TextDatasetOptions& options = {});
  /// The same examples of a text in a file, which may be larger than memory.
  explicit TextDataset(TokenFile file, const TextDatasetOptions& options = {});

  std::int64_t size() const { return size_; }
  /// Throws: ValueError for an example that is not there.
  std::array<Tensor, 2> get(std::int64_t i, const Epoch& epoch) const;
  std::array<Tensor, 2> batch(std::span<const std::int64_t> indices, const Epoch& epoch) const;

 private:
  TextDataset(std::shared_ptr<const detail::TokenText> text, const TextDatasetOptions& options);

  std::shared_ptr<const detail::TokenText> text_;
  std::int64_t length_;
  std::int64_t size_;
};

struct TextEvaluationOptions {
  std::int64_t length = 256;  ///< tokens of an example
  std::int64_t stride = 0;   ///< tokens that an example adds to the one before it; 0: `length`. Fewer give more context
  std::int64_t before = -1;  ///< token that stands before the text; -1: none, and the first token is not scored
};

/// A text to evaluate on: examples as those of TextDataset, whose targets other than -100 (which cross_entropy ignores)
/// are each token of the text exactly once, in order. Copies share the text.
class TextEvaluation {
 public:
  /// Throws: ValueError for a length below 1, a stride outside 0 to length, or a text with no token to score.
  explicit TextEvaluation(std::span<const std::int64_t> ids, const TextEvaluationOptions& options = {});
  /// The same examples of a text in a file.
  explicit TextEvaluation(TokenFile file, const TextEvaluationOptions& options = {});

  std::int64_t size() const { return size_; }
  /// How many tokens are scored.
  std::int64_t scored() const;
  /// Throws: ValueError for an example that is not there.
  std::array<Tensor, 2> get(std::int64_t i) const;
  std::array<Tensor, 2> batch(std::span<const std::int64_t> indices) const;

 private:
  TextEvaluation(std::shared_ptr<const detail::TokenText> text, const TextEvaluationOptions& options);

  std::shared_ptr<const detail::TokenText> text_;
  std::int64_t length_;
  std::int64_t stride_;
  std::int64_t size_;
};

}  // namespace temper::data
