#pragma once

#include <cstdint>
#include <vector>

#include <temper/models/gpt/gpt.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper::models {

/// The keys and values of the tokens a Gpt has seen, so that the next token costs one token's work: see
/// Gpt::operator(). A cache serves one text at a time.
class GptCache {
 public:
  /// Room for a whole context, of which nothing is used.
  explicit GptCache(const GptConfig& config);

  /// Tokens seen so far.
  std::int64_t size() const { return size_; }
  /// Forgets them.
  void clear();

 private:
  friend class Gpt;
  /// Throws: ValueError when the cache was made for other sizes.
  void check(const GptConfig& config) const;
  /// Adds the keys and values of some tokens to layer `layer`, and lets the tokens' queries see all there are:
  /// qkv [T, 3 width] to [T, width].
  Tensor attend(std::size_t layer, const Tensor& qkv);
  /// What attend added to every layer counts from now on.
  void advance(std::int64_t count) { size_ += count; }

  GptConfig config_;
  std::int64_t size_ = 0;
  std::vector<Tensor> keys_, values_;  // of each layer: [heads, context, width / heads], zeros where nothing is yet
};

}  // namespace temper::models
