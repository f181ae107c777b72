#pragma once

#include <cstdint>

#include <temper/nn/layers.hpp>

namespace temper::models {

class KeyValueCache;

/// What a KeyValueCache has to know of a language model.
struct CacheSizes {
  std::int64_t layers = 0;    ///< that attend
  std::int64_t heads = 0;     ///< of keys and values, in each layer
  std::int64_t features = 0;  ///< of a head
  std::int64_t context = 0;   ///< the longest text, in tokens

  friend bool operator==(const CacheSizes&, const CacheSizes&) = default;
};

/// A model of the next token: tokens [B, T] i64 to logits [B, T, vocabulary], T at most the context. Each position
/// attends to itself and those before. The loss is `cross_entropy(model(tokens), targets)`.
class LanguageModel : public nn::Layer {
 public:
  /// See Layer. Throws: ShapeError unless the tokens are i64 [B, T] with 1 <= T <= context; ValueError for a token
  /// outside the vocabulary.
  using nn::Layer::operator();
  /// Logits [T, vocabulary] of the tokens [T], i64, that follow those in the cache, without computing these again. Adds
  /// the new tokens to the cache. Unrecorded, and without dropout.
  /// Throws: as above; ShapeError when the cache has no room for the tokens; ValueError when it is another model's.
  Tensor operator()(const Tensor& tokens, KeyValueCache& cache) const;

  /// The number of different tokens.
  std::int64_t vocabulary() const { return vocabulary_; }
  /// The longest sequence, in tokens.
  std::int64_t context() const { return sizes_.context; }
  /// The sizes of a cache for this model.
  const CacheSizes& cache_sizes() const { return sizes_; }

 protected:
  /// `name` begins the texts of errors.
  LanguageModel(const char* name, std::int64_t vocabulary, const CacheSizes& sizes)
      : name_(name), vocabulary_(vocabulary), sizes_(sizes) {}

  /// The logits [T, vocabulary] of checked tokens [T]: calls KeyValueCache::attend once in each layer.
  virtual Tensor continued(const Tensor& tokens, KeyValueCache& cache) const = 0;
  /// Throws: ShapeError unless the tokens are i64 [B, T] with 1 <= T <= context.
  void check(const Tensor& tokens) const { check(tokens, 2, sizes_.context); }

 private:
  void check(const Tensor& tokens, int rank, std::int64_t max_tokens) const;

  const char* name_;
  std::int64_t vocabulary_;
  CacheSizes sizes_;
};

}  // namespace temper::models
