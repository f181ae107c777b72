#pragma once

#include <cstdint>
#include <vector>

#include <temper/models/language/language_model.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper::models {

/// A KV cache: the keys and values of the tokens that a language model has processed, so that the next token costs the
/// work of one token. See LanguageModel::operator(). A cache serves one text at a time, and grows with it.
class KeyValueCache {
 public:
  /// An empty cache for models of these sizes: `KeyValueCache cache(model.cache_sizes());`
  explicit KeyValueCache(const CacheSizes& sizes);

  /// The number of tokens in the cache.
  std::int64_t size() const { return size_; }
  /// The sizes it was made for.
  const CacheSizes& sizes() const { return sizes_; }
  /// Removes all tokens.
  void clear();

  /// For models: appends the keys and values [heads, T, features] of T tokens to layer `layer`, and returns causal
  /// attention of their queries [query heads, T, features] to all tokens in the cache, [T, query heads * features].
  Tensor attend(std::int64_t layer, const Tensor& queries, const Tensor& keys, const Tensor& values);

 private:
  friend class LanguageModel;
  /// Adds the tokens that attend() appended to every layer to size().
  void advance(std::int64_t count) { size_ += count; }

  CacheSizes sizes_;
  std::int64_t size_ = 0;
  std::vector<Tensor> keys_, values_;  // of each layer: [heads, capacity, features], zeros from size_ on
};

}  // namespace temper::models
