#include "framework/core/format_internal.hpp"
#include "framework/data/subword/added_tokens_internal.hpp"

#include <algorithm>

#include "framework/data/file_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"

namespace temper::data::subword {

AddedTokens::AddedTokens(const std::optional<JsonNode>& list, const Vocabulary& vocabulary,
                         const std::vector<Normalize>& normalizer) {
  if (!list) return;
  list->each([&](const JsonNode& node) {
    const std::string content = node.at("content").text();
    if (content.empty()) return;
    const std::uint64_t number = node.at("id").number();
    if (const Id known = vocabulary.find(content); known != no_id && known != number) {
      fail<FileError>("{}: '{}' has number {}, but {} in the vocabulary", node.place(),
                      temper::detail::printable(content), number, known);
    }
    if (number >= std::uint64_t{vocabulary.size()} + list->size() + (1 << 20)) {
      fail<FileError>("{}: '{}' has number {} beside a vocabulary of {}", node.place(),
                      temper::detail::printable(content), number, vocabulary.size());
    }
    const Id id = static_cast<Id>(number);
    Token token{content,
                content,
                node.flag("single_word", false),
                node.flag("lstrip", false),
                node.flag("rstrip", false),
                node.flag("normalized", true)};
    if (token.normalized) {
      bool first = true;
      run(normalizer, token.normal, first);
    }
    if (node.flag("special", false)) special_.insert(content);
    numbers_[content] = id;
    size_ = std::max(size_, id + 1);
    tokens_.insert_or_assign(id, std::move(token));
  });
  if (std::ranges::any_of(tokens_, [](const auto& entry) { return !entry.second.normalized; })) plain_ = trie(false);
  if (std::ranges::any_of(tokens_, [](const auto& entry) { return entry.second.normalized; })) normalized_ = trie(true);
}

Trie AddedTokens::trie(bool normalized) const {
  std::vector<std::pair<std::string_view, Id>> entries;
  for (const auto& [id, token] : tokens_) {
    if (token.normalized == normalized && !token.normal.empty()) entries.emplace_back(token.normal, id);
  }
  return Trie(std::move(entries));
}

void AddedTokens::cut(std::string_view text, bool normalized, std::vector<Part>& out) const {
  out.clear();
  const auto& trie = normalized ? normalized_ : plain_;
  std::size_t unmatched = 0;
  const auto add = [&](std::size_t begin, std::size_t end, Id id) {
    if (unmatched < begin) out.push_back({unmatched, begin, no_id});
    out.push_back({begin, end, id});
    unmatched = end;
  };
  for (std::size_t place = 0; trie && place < text.size();) {
    // The longest that begins here.
    Id id = no_id;
    std::size_t end = place;
    std::uint32_t node = 0;
    for (std::size_t i = place; i < text.size(); ++i) {
      node = trie->step(node, text[i]);
      if (node == 0) break;
      if (trie->id(node) == no_id) continue;
      id = trie->id(node);
      end = i + 1;
    }
    if (id == no_id) {
      ++place;
      continue;
    }
    std::size_t begin = place;
    place = end;
    const Token& token = tokens_.at(id);
    if (token.single_word) {
      const bool after_word = begin > 0 && is_word(character_at(text, begin_of_character(text, begin)).code);
      const bool before_word = end < text.size() && is_word(character_at(text, end).code);
      if (after_word || before_word) continue;
    }
    while (token.strips_left && begin > unmatched) {
      const std::size_t before = begin_of_character(text, begin);
      if (!is_space(character_at(text, before).code)) break;
      begin = before;
    }
    while (token.strips_right && end < text.size()) {
      const auto [code, bytes] = character_at(text, end);
      if (!is_space(code)) break;
      end += bytes;
    }
    add(begin, end, id);
  }
  if (unmatched < text.size()) out.push_back({unmatched, text.size(), no_id});
}

Id AddedTokens::find(std::string_view text) const {
  const auto found = numbers_.find(std::string(text));
  return found == numbers_.end() ? no_id : found->second;
}

std::optional<std::string_view> AddedTokens::text(Id id) const {
  const auto found = tokens_.find(id);
  if (found == tokens_.end()) return {};
  return found->second.normal;
}

}  // namespace temper::data::subword
