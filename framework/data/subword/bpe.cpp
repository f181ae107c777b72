// Byte-pair encoding: a piece is cut into characters, and pairs are joined in the order in which training found them.
// Source: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units" (2016).

#include <algorithm>
#include <bit>
#include <optional>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/subword/model_internal.hpp"
#include "framework/data/subword/steps_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"

namespace temper::data::subword {

namespace {

/// The pairs that are joined: their ranks, in a table with as many free slots as taken ones.
class Merges {
 public:
  explicit Merges(std::size_t count) : slots_(std::bit_ceil(2 * count + 2)) { joined_.reserve(count); }

  void add(Id left, Id right, Id joined) {
    Slot& slot = slots_[find(left, right)];
    slot = {key(left, right), static_cast<std::uint32_t>(joined_.size())};
    joined_.push_back(joined);
  }
  /// no_id for a pair that is not joined.
  std::uint32_t rank(Id left, Id right) const { return slots_[find(left, right)].rank; }
  Id joined(std::uint32_t rank) const { return joined_[rank]; }

 private:
  struct Slot {
    std::uint64_t key = ~std::uint64_t{0};
    std::uint32_t rank = no_id;
  };
  static std::uint64_t key(Id left, Id right) { return std::uint64_t{left} << 32 | right; }
  std::size_t find(Id left, Id right) const {
    const std::uint64_t wanted = key(left, right);
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = (wanted * 0x9e3779b97f4a7c15 >> 20) & mask;
    while (slots_[slot].rank != no_id && slots_[slot].key != wanted) slot = (slot + 1) & mask;
    return slot;
  }

  std::vector<Slot> slots_;
  std::vector<Id> joined_;  // by rank
};

class Bpe final : public Model {
 public:
  Bpe(const JsonNode& node, const Vocabulary& vocabulary, bool raw)
      : vocabulary_(vocabulary),
        raw_(raw),
        prefix_(node.text("continuing_subword_prefix", "")),
        suffix_(node.text("end_of_word_suffix", "")),
        fuse_unknown_(node.flag("fuse_unk", false)),
        byte_fallback_(node.flag("byte_fallback", false)),
        ignore_merges_(node.flag("ignore_merges", false)),
        merges_(read_merges(node, vocabulary)) {
    if (const auto dropout = node.find("dropout"); dropout && dropout->real() != 0.0) {
      fail<FileError>("{}: merges dropped at random are not supported; expected null", dropout->place());
    }
    if (const auto unknown = node.find("unk_token")) {
      has_unknown_ = true;
      unknown_ = vocabulary.find(unknown->text());
    }
    for (int byte = 0; byte < 256; ++byte) {
      const char c = static_cast<char>(byte);
      const auto token = byte_token(static_cast<unsigned char>(byte));
      const auto place = static_cast<std::size_t>(byte);
      fallback_[place] = vocabulary.find({token.data(), token.size()});
      one_byte_[place] = raw ? vocabulary.find(bytes_as_characters({&c, 1})) : vocabulary.find({&c, 1});
    }
    if (!raw) return;
    // The vocabulary's characters stand for bytes, which the pieces are given as.
    bytes_.emplace(vocabulary.size());
    std::string bytes;
    for (Id id = 0; id < vocabulary.size(); ++id) {
      bytes.clear();
      const auto text = vocabulary.text(id);
      if (text && characters_as_bytes(*text, bytes)) bytes_->add(bytes, id);
    }
  }

  void encode(std::string_view piece, std::vector<Id>& out, Workspace& workspace) const override {
    if (ignore_merges_) {
      if (const Id whole = (raw_ ? *bytes_ : vocabulary_).find(piece); whole != no_id) {
        out.push_back(whole);
        return;
      }
    }
    begin(piece, workspace.symbols);
    join(workspace);
    for (const Workspace::Symbol& symbol : workspace.symbols) {
      if (symbol.id != no_id) out.push_back(symbol.id);
    }
  }

  Id unknown() const override { return unknown_; }

 private:
  static Merges read_merges(const JsonNode& model, const Vocabulary& vocabulary) {
    const JsonNode node = model.at("merges");
    const std::string prefix = model.text("continuing_subword_prefix", "");
    Merges merges(node.size());
    std::string joined;
    node.each([&](const JsonNode& entry) {
      std::string left, right;
      if (entry.is_list()) {
        left = entry.item(0).text();
        right = entry.item(1).text();
      } else {
        const std::string text = entry.text();
        if (text.starts_with("#version")) return;
        const std::size_t space = text.find(' ');
        if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
          fail<FileError>("{}: '{}' is no pair", entry.place(), temper::detail::printable(text));
        }
        left = text.substr(0, space);
        right = text.substr(space + 1);
      }
      joined = left;
      joined.append(right, std::min(prefix.size(), right.size()));
      const auto find = [&](std::string_view token) {
        const Id id = vocabulary.find(token);
        if (id == no_id)
          fail<FileError>("{}: '{}' is not in the vocabulary", entry.place(), temper::detail::printable(token));
        return id;
      };
      merges.add(find(left), find(right), find(joined));
    });
    return merges;
  }

  /// The token of one character of a piece; no_id when there is none.
  Id character(std::string_view piece, std::size_t begin, std::size_t end) const {
    if (prefix_.empty() && suffix_.empty()) {
      return end - begin == 1 ? one_byte_[static_cast<unsigned char>(piece[begin])]
                              : vocabulary_.find(piece.substr(begin, end - begin));
    }
    std::string text(begin > 0 ? prefix_ : std::string());
    text += piece.substr(begin, end - begin);
    if (end == piece.size()) text += suffix_;
    return vocabulary_.find(text);
  }

  void begin(std::string_view piece, std::vector<Workspace::Symbol>& symbols) const {
    symbols.clear();
    const auto add = [&](Id id) {
      const auto place = static_cast<std::int32_t>(symbols.size());
      symbols.push_back({id, place - 1, place + 1});
    };
    bool fusing = false;  // the last symbol is what was unknown, and takes what follows with it
    for (std::size_t i = 0; i < piece.size();) {
      const std::size_t end = i + (raw_ ? 1 : character_at(piece, i).bytes);
      const Id id = character(piece, i, end);
      const std::string_view bytes = piece.substr(i, end - i);
      i = end;
      if (id != no_id) {
        add(id);
        fusing = false;
        continue;
      }
      const auto has_token = [&](char c) { return fallback_[static_cast<unsigned char>(c)] != no_id; };
      if (byte_fallback_ && std::ranges::all_of(bytes, has_token)) {
        for (const char c : bytes) add(fallback_[static_cast<unsigned char>(c)]);
        continue;
      }
      if (!has_unknown_) continue;  // left out
      if (unknown_ == no_id) {
        fail<ValueError>("tokenizer: '{}' is not in the vocabulary, and neither is the token for what is unknown",
                         temper::detail::printable(bytes));
      }
      if (!fusing || !fuse_unknown_) add(unknown_);
      fusing = true;
    }
    if (!symbols.empty()) symbols.back().after = -1;
  }

  void join(Workspace& workspace) const {
    auto& symbols = workspace.symbols;
    auto& heap = workspace.merges;
    heap.clear();
    // The lowest rank first, and the leftmost of equal ones.
    const auto later = [](const Workspace::Merge& a, const Workspace::Merge& b) {
      return a.rank != b.rank ? a.rank > b.rank : a.place > b.place;
    };
    const auto rank_at = [&](std::int32_t place) {
      const Workspace::Symbol& left = symbols[static_cast<std::size_t>(place)];
      return left.after < 0 ? no_id : merges_.rank(left.id, symbols[static_cast<std::size_t>(left.after)].id);
    };
    const auto push = [&](std::int32_t place) {
      const std::uint32_t rank = rank_at(place);
      if (rank == no_id) return;
      heap.push_back({rank, place});
      std::ranges::push_heap(heap, later);
    };
    for (std::int32_t place = 0; place + 1 < std::ssize(symbols); ++place) {
      if (const std::uint32_t rank = rank_at(place); rank != no_id) heap.push_back({rank, place});
    }
    std::ranges::make_heap(heap, later);
    while (!heap.empty()) {
      const Workspace::Merge best = heap.front();
      std::ranges::pop_heap(heap, later);
      heap.pop_back();
      Workspace::Symbol& left = symbols[static_cast<std::size_t>(best.place)];
      if (left.id == no_id || rank_at(best.place) != best.rank) continue;  // the pair is no more
      Workspace::Symbol& right = symbols[static_cast<std::size_t>(left.after)];
      left.id = merges_.joined(best.rank);
      left.after = right.after;
      right.id = no_id;
      if (left.after >= 0) symbols[static_cast<std::size_t>(left.after)].before = best.place;
      if (left.before >= 0) push(left.before);
      push(best.place);
    }
  }

  const Vocabulary& vocabulary_;
  std::optional<Vocabulary> bytes_;  // when the pieces are bytes: the vocabulary as bytes
  bool raw_;
  std::string prefix_, suffix_;
  bool fuse_unknown_, byte_fallback_, ignore_merges_;
  Merges merges_;
  bool has_unknown_ = false;
  Id unknown_ = no_id;
  std::array<Id, 256> one_byte_, fallback_;
};

}  // namespace

std::unique_ptr<const Model> read_bpe(const JsonNode& node, const Vocabulary& vocabulary, bool raw) {
  return std::make_unique<Bpe>(node, vocabulary, raw);
}

}  // namespace temper::data::subword
