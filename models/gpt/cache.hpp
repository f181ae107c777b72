#pragma once

#include <cstdint>
#include <vector>

#include <temper/models/gpt/gpt.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper::models {

/// A KV cache: the keys and values of the tokens a Gpt has processed, so that the next token costs the work of one
/// token. See Gpt::operator(). A cache serves one text at a time.
class GptCache {
 public:
  /// An empty cache with memory for a whole context.
  explicit GptCache(const GptConfig& config);

  /// The number of tokens in the cache.
  std::int64_t size() const { return size_; }
  /// Removes all tokens.
  void clear();

 private:
  friend class Gpt;
  /// Throws: ValueError when the cache was made for other sizes.
  void check(const GptConfig& config) const;
  /// Appends the keys and values of T tokens to the cache of layer `layer`, and returns causal attention of their
  /// queries to all tokens in the cache: qkv [T, 3 width] to [T, width].
  Tensor attend(std::size_t layer, const Tensor& qkv);
  /// Adds the tokens that attend() appended to every layer to size().
  void advance(std::int64_t count) { size_ += count; }

  GptConfig config_;
  std::int64_t size_ = 0;
  std::vector<Tensor> keys_, values_;  // of each layer: [heads, context, width / heads], zeros from size_ on
};

}  // namespace temper::models
