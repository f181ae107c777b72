#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "framework/data/json_node_internal.hpp"
#include "framework/data/subword/vocabulary_internal.hpp"

namespace temper::data::subword {

using temper::detail::JsonNode;

/// Memory that encoding uses, kept from one piece to the next. One thread uses it at a time.
struct Workspace {
  /// Part of a piece that merging has not joined with more.
  struct Symbol {
    Id id;
    std::int32_t before, after;  // -1: none; an `id` of no_id: joined with the one before it
  };
  struct Merge {
    std::uint32_t rank;
    std::int32_t place;
  };
  /// The best way to a place in a piece.
  struct Way {
    double score;
    std::size_t begin;
    Id id;
  };
  std::vector<Symbol> symbols;
  std::vector<Merge> merges;
  std::vector<Way> ways;
};

/// Turns a piece of text into tokens.
class Model {
 public:
  virtual ~Model() = default;
  /// Appends the tokens of a piece. Throws: ValueError when the vocabulary cannot express it.
  virtual void encode(std::string_view piece, std::vector<Id>& out, Workspace& workspace) const = 0;
  /// The token of what is unknown; no_id when there is none.
  virtual Id unknown() const = 0;
};

/// Reads the file's vocabulary, whatever the model. Throws: FileError, as all here.
Vocabulary read_vocabulary(const JsonNode& node);
/// Whether the model can take bytes in place of the characters that ByteLevel writes them as.
bool takes_bytes(const JsonNode& node);
/// Reads the model. The vocabulary must outlive it.
std::unique_ptr<const Model> read_model(const JsonNode& node, const Vocabulary& vocabulary, bool raw);

std::unique_ptr<const Model> read_bpe(const JsonNode& node, const Vocabulary& vocabulary, bool raw);
std::unique_ptr<const Model> read_wordpiece(const JsonNode& node, const Vocabulary& vocabulary);
std::unique_ptr<const Model> read_unigram(const JsonNode& node, const Vocabulary& vocabulary);

/// "<0x0A>", for the byte 10.
std::array<char, 6> byte_token(unsigned char byte);

/// The tokens of short pieces that were seen before. As many as there are slots are kept, 2 MiB; a new one takes the
/// place of the one in its slot.
class PieceCache {
 public:
  PieceCache() : slots_(slots) {}

  /// Appends the piece's tokens; false when they are not known.
  bool find(std::string_view piece, std::vector<Id>& out) const;
  void keep(std::string_view piece, const Id* ids, std::size_t count);

 private:
  static constexpr std::size_t slots = 1 << 15, most_bytes = 23, most_ids = 10;
  struct Slot {
    std::array<char, most_bytes> bytes{};  // with zeros behind the piece
    unsigned char size = 0;
    std::array<Id, most_ids> ids{};  // with no_id behind them
  };
  static_assert(sizeof(Slot) == 64);

  static std::size_t place(std::string_view piece);
  std::vector<Slot> slots_;
};

}  // namespace temper::data::subword
