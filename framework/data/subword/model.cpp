#include "framework/data/subword/model_internal.hpp"

#include <algorithm>
#include <cstring>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/subword/steps_internal.hpp"

namespace temper::data::subword {

namespace {

// Numbers may leave gaps, but not such that the table of all would be far larger than the file.
constexpr std::uint64_t largest_gap = 1 << 20;

void add(Vocabulary& vocabulary, const std::string& text, std::uint64_t id, std::size_t tokens, const JsonNode& node) {
  if (id >= tokens + largest_gap) {
    fail<FileError>("{}: '{}' has number {} among {} tokens", node.place(), temper::detail::printable(text), id,
                    tokens);
  }
  if (!vocabulary.add(text, static_cast<Id>(id))) {
    fail<FileError>("{}: '{}' and '{}' both have number {}", node.place(),
                    temper::detail::printable(*vocabulary.text(static_cast<Id>(id))), temper::detail::printable(text),
                    id);
  }
}

/// Knows whole pieces only.
class WordLevel final : public Model {
 public:
  WordLevel(const JsonNode& node, const Vocabulary& vocabulary)
      : vocabulary_(vocabulary), unknown_(vocabulary.find(node.text("unk_token", "<unk>"))) {}

  void encode(std::string_view piece, std::vector<Id>& out, Workspace&) const override {
    const Id id = vocabulary_.find(piece);
    if (id == no_id && unknown_ == no_id) {
      fail<ValueError>("tokenizer: '{}' is not in the vocabulary, which has no token for what is unknown",
                       temper::detail::printable(piece));
    }
    out.push_back(id == no_id ? unknown_ : id);
  }
  Id unknown() const override { return unknown_; }

 private:
  const Vocabulary& vocabulary_;
  Id unknown_;
};

/// Old files have no type: what else they have tells.
std::string type_of(const JsonNode& node) {
  if (node.has("type")) return node.at("type").text();
  return node.has("merges")                     ? "BPE"
         : node.has("max_input_chars_per_word") ? "WordPiece"
         : node.at("vocab").is_list()           ? "Unigram"
                                                : "WordLevel";
}

}  // namespace

Vocabulary read_vocabulary(const JsonNode& model) {
  const JsonNode node = model.at("vocab");
  const std::size_t tokens = node.size();
  Vocabulary vocabulary(tokens);
  if (node.is_list()) {
    std::uint64_t id = 0;
    node.each([&](const JsonNode& entry) { add(vocabulary, entry.item(0).text(), id++, tokens, node); });
  } else {
    node.each_entry(
        [&](const std::string& text, const JsonNode& id) { add(vocabulary, text, id.number(), tokens, node); });
  }
  return vocabulary;
}

bool takes_bytes(const JsonNode& node) {
  return type_of(node) == "BPE" && node.text("continuing_subword_prefix", "").empty() &&
         node.text("end_of_word_suffix", "").empty() && !node.flag("byte_fallback", false);
}

std::unique_ptr<const Model> read_model(const JsonNode& node, const Vocabulary& vocabulary, bool raw) {
  const std::string type = type_of(node);
  const bool list = type == "Unigram";
  if (node.at("vocab").is_list() != list && (list || type == "BPE" || type == "WordPiece" || type == "WordLevel")) {
    fail<FileError>("{}.vocab is no {}, as a {} model has it", node.place(), list ? "list" : "object", type);
  }
  if (type == "BPE") return read_bpe(node, vocabulary, raw);
  if (type == "WordPiece") return read_wordpiece(node, vocabulary);
  if (type == "Unigram") return read_unigram(node, vocabulary);
  if (type == "WordLevel") return std::make_unique<WordLevel>(node, vocabulary);
  refuse_type(node, type, "BPE, Unigram, WordLevel, WordPiece");
}

std::array<char, 6> byte_token(unsigned char byte) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  return {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
}

std::size_t PieceCache::place(std::string_view piece) {
  std::array<char, 24> bytes{};
  std::memcpy(bytes.data(), piece.data(), piece.size());
  bytes[23] = static_cast<char>(piece.size());
  std::array<std::uint64_t, 3> words;
  std::memcpy(words.data(), bytes.data(), bytes.size());
  std::uint64_t hash = 0;
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15;
    hash ^= hash >> 32;
  }
  return hash % slots;
}

bool PieceCache::find(std::string_view piece, std::vector<Id>& out) const {
  if (piece.empty() || piece.size() > most_bytes) return false;
  const Slot& slot = slots_[place(piece)];
  if (slot.size != piece.size() || std::memcmp(slot.bytes.data(), piece.data(), piece.size()) != 0) return false;
  for (const Id id : slot.ids) {
    if (id == no_id) break;
    out.push_back(id);
  }
  return true;
}

void PieceCache::keep(std::string_view piece, const Id* ids, std::size_t count) {
  if (piece.empty() || piece.size() > most_bytes || count > most_ids) return;
  Slot& slot = slots_[place(piece)];
  std::memcpy(slot.bytes.data(), piece.data(), piece.size());
  slot.size = static_cast<unsigned char>(piece.size());
  slot.ids.fill(no_id);
  std::copy_n(ids, count, slot.ids.begin());
}

}  // namespace temper::data::subword
