#include "framework/data/subword/vocabulary_internal.hpp"

#include <algorithm>
#include <bit>
#include <functional>

namespace temper::data::subword {

Vocabulary::Vocabulary(std::size_t tokens) : slots_(std::bit_ceil(2 * tokens + 2), no_id) { places_.reserve(tokens); }

std::size_t Vocabulary::slot(std::string_view text) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = std::hash<std::string_view>{}(text)&mask;
  while (slots_[slot] != no_id && at(slots_[slot]) != text) slot = (slot + 1) & mask;
  return slot;
}

bool Vocabulary::add(std::string_view text, Id id) {
  if (id < places_.size() && places_[id].first != nowhere) return false;
  if (id >= places_.size()) places_.resize(std::size_t{id} + 1, {nowhere, 0});
  places_[id] = {static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(text.size())};
  bytes_ += text;
  slots_[slot(text)] = id;
  return true;
}

Id Vocabulary::find(std::string_view text) const { return slots_[slot(text)]; }

std::optional<std::string_view> Vocabulary::text(Id id) const {
  if (id >= places_.size() || places_[id].first == nowhere) return {};
  return at(id);
}

std::vector<std::pair<std::string_view, Id>> entries(const Vocabulary& vocabulary) {
  std::vector<std::pair<std::string_view, Id>> all;
  all.reserve(vocabulary.size());
  for (Id id = 0; id < vocabulary.size(); ++id) {
    if (const auto text = vocabulary.text(id); text && !text->empty()) all.emplace_back(*text, id);
  }
  return all;
}

Trie::Trie(std::vector<std::pair<std::string_view, Id>> entries) {
  std::ranges::stable_sort(entries, {}, [](const auto& entry) { return entry.first; });
  // Entries that share the node's bytes, of which there are `depth`.
  struct Open {
    std::uint32_t node;
    std::size_t begin, end, depth;
  };
  nodes_.emplace_back();
  std::vector<Open> level{{0, 0, entries.size(), 0}};
  while (!level.empty()) {
    std::vector<Open> next;
    for (auto [node, begin, end, depth] : level) {
      for (; begin < end && entries[begin].first.size() == depth; ++begin) nodes_[node].id = entries[begin].second;
      nodes_[node].children = static_cast<std::uint32_t>(nodes_.size());
      while (begin < end) {
        const char byte = entries[begin].first[depth];
        const std::size_t first = begin;
        while (begin < end && entries[begin].first[depth] == byte) ++begin;
        next.push_back({static_cast<std::uint32_t>(nodes_.size()), first, begin, depth + 1});
        ++nodes_[node].count;
        nodes_.emplace_back().byte = static_cast<unsigned char>(byte);
      }
    }
    level = std::move(next);
  }
}

std::uint32_t Trie::step(std::uint32_t node, char byte) const {
  const auto first = nodes_.begin() + nodes_[node].children, last = first + nodes_[node].count;
  const auto wanted = static_cast<unsigned char>(byte);
  const auto found = std::lower_bound(first, last, wanted, [](const Node& n, unsigned char b) { return n.byte < b; });
  return found != last && found->byte == wanted ? static_cast<std::uint32_t>(found - nodes_.begin()) : 0;
}

}  // namespace temper::data::subword
