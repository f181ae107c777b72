#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <temper/data/subword_tokenizer.hpp>

#include "framework/data/json_node_internal.hpp"

namespace temper::data::subword {

/// How one text, or two, and the special tokens follow each other.
class PostProcessor {
 public:
  /// The texts alone.
  PostProcessor();
  /// Reads the file's post-processor. Throws: FileError, also for a token that is not below `vocab_size`.
  PostProcessor(const temper::detail::JsonNode& node, std::int64_t vocab_size);

  Encoding single(std::span<const std::int64_t> text) const { return fill(single_, text, {}); }
  Encoding pair(std::span<const std::int64_t> text, std::span<const std::int64_t> other) const {
    return fill(pair_, text, other);
  }

 private:
  enum class What { text, other, special };
  struct Part {
    What what;
    std::int64_t type;
    std::vector<std::int64_t> ids;  // of what is special
  };
  void read(const temper::detail::JsonNode& node, std::int64_t vocab_size);
  static Encoding fill(const std::vector<Part>& parts, std::span<const std::int64_t> text,
                       std::span<const std::int64_t> other);

  std::vector<Part> single_, pair_;
  bool adds_ = false;  // a step of the file adds tokens
};

}  // namespace temper::data::subword
