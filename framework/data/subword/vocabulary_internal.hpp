#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper::data::subword {

using Id = std::uint32_t;
inline constexpr Id no_id = std::numeric_limits<Id>::max();

/// Tokens and their numbers, both ways.
class Vocabulary {
 public:
  /// For `tokens` of them.
  explicit Vocabulary(std::size_t tokens);

  /// False when another token has this number. A text that was there before gets the new number.
  bool add(std::string_view text, Id id);
  /// no_id for a text that is not there.
  Id find(std::string_view text) const;
  /// Nothing for a number that no token has.
  std::optional<std::string_view> text(Id id) const;
  /// One above the largest number.
  Id size() const { return static_cast<Id>(places_.size()); }

 private:
  std::string_view at(Id id) const { return std::string_view(bytes_).substr(places_[id].first, places_[id].second); }
  std::size_t slot(std::string_view text) const;

  static constexpr std::uint32_t nowhere = std::numeric_limits<std::uint32_t>::max();

  std::string bytes_;                                            // all texts
  std::vector<std::pair<std::uint32_t, std::uint32_t>> places_;  // of each number: begin in bytes_ and size
  std::vector<Id> slots_;                                        // by hash of the text; a power of two
};

/// All tokens but the empty one, in the order of their numbers.
std::vector<std::pair<std::string_view, Id>> entries(const Vocabulary& vocabulary);

/// Texts by their beginnings.
class Trie {
 public:
  /// Of several texts that are equal, the last counts.
  explicit Trie(std::vector<std::pair<std::string_view, Id>> entries);

  /// The node after this byte; 0 when there is none, as nothing leads to the root.
  std::uint32_t step(std::uint32_t node, char byte) const;
  /// Of the text that ends at a node; no_id when none does.
  Id id(std::uint32_t node) const { return nodes_[node].id; }
  bool begins(char byte) const { return step(0, byte) != 0; }

 private:
  struct Node {
    std::uint32_t children = 0;  // the first; they stand side by side, ordered by byte
    Id id = no_id;
    std::uint16_t count = 0;
    unsigned char byte = 0;
  };
  std::vector<Node> nodes_;
};

}  // namespace temper::data::subword
