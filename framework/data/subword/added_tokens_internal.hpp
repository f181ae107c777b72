#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "framework/data/subword/model_internal.hpp"
#include "framework/data/subword/steps_internal.hpp"

namespace temper::data::subword {

/// Tokens that are looked for in the text before it is cut into pieces: special ones, and those that were added to a
/// finished vocabulary.
class AddedTokens {
 public:
  /// Reads the file's list. Throws: FileError.
  AddedTokens(const std::optional<JsonNode>& list, const Vocabulary& vocabulary,
              const std::vector<Normalize>& normalizer);

  /// A part of a text: one of these tokens, or what is between them, with no_id.
  struct Part {
    std::size_t begin, end;
    Id id;
  };
  /// Cuts a text before it is normalized, or the normalized one, each by the tokens that are for it.
  void cut(std::string_view text, bool normalized, std::vector<Part>& out) const;

  Id find(std::string_view text) const;
  /// What decoding starts from: of a token that is looked for in the normalized text, that text.
  std::optional<std::string_view> text(Id id) const;
  bool is_special(std::string_view text) const { return special_.contains(std::string(text)); }
  /// One above the largest number.
  Id size() const { return size_; }

 private:
  struct Token {
    std::string content, normal;  // as the file has it; as it is looked for
    bool single_word, strips_left, strips_right, normalized;
  };
  Trie trie(bool normalized) const;

  std::map<Id, Token> tokens_;
  std::unordered_map<std::string, Id> numbers_;
  std::unordered_set<std::string> special_;
  std::optional<Trie> plain_, normalized_;
  Id size_ = 0;
};

}  // namespace temper::data::subword
