#include <algorithm>
#include <optional>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/subword/model_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"

namespace temper::data::subword {

namespace {

/// The longest token that a piece begins with, again and again; one token for a piece where that ends too early.
/// Source: Wu et al., "Google's neural machine translation system" (2016).
class WordPiece final : public Model {
 public:
  WordPiece(const JsonNode& node, const Vocabulary& vocabulary)
      : trie_(entries(vocabulary)),
        unknown_(vocabulary.find(node.text("unk_token", "[UNK]"))),
        longest_(node.has("max_input_chars_per_word") ? node.at("max_input_chars_per_word").number() : 100) {
    for (const char c : node.text("continuing_subword_prefix", "##")) {
      if (continued_) continued_ = trie_.step(*continued_, c);
      if (continued_ == 0) continued_.reset();
    }
  }

  void encode(std::string_view piece, std::vector<Id>& out, Workspace&) const override {
    const std::size_t before = out.size();
    const auto characters =
        std::ranges::count_if(piece, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
    if (static_cast<std::uint64_t>(characters) > longest_) return add_unknown(piece, out);
    for (std::size_t begin = 0; begin < piece.size();) {
      Id best = no_id;
      std::size_t end = begin;
      if (begin == 0 || continued_) {
        std::uint32_t node = begin == 0 ? 0 : *continued_;
        for (std::size_t i = begin; i < piece.size(); ++i) {
          node = trie_.step(node, piece[i]);
          if (node == 0) break;
          if (trie_.id(node) == no_id) continue;
          best = trie_.id(node);
          end = i + 1;
        }
      }
      if (best == no_id) {
        out.resize(before);
        return add_unknown(piece, out);
      }
      out.push_back(best);
      begin = end;
    }
  }

  Id unknown() const override { return unknown_; }

 private:
  void add_unknown(std::string_view piece, std::vector<Id>& out) const {
    if (unknown_ == no_id) {
      fail<ValueError>(
          "tokenizer: '{}' cannot be put together from the vocabulary, which has no token for what is unknown",
          temper::detail::printable(piece));
    }
    out.push_back(unknown_);
  }

  Trie trie_;
  Id unknown_;
  std::uint64_t longest_;                       // characters
  std::optional<std::uint32_t> continued_ = 0;  // after the mark of tokens that continue a word, if any has it
};

}  // namespace

std::unique_ptr<const Model> read_wordpiece(const JsonNode& node, const Vocabulary& vocabulary) {
  return std::make_unique<WordPiece>(node, vocabulary);
}

}  // namespace temper::data::subword
