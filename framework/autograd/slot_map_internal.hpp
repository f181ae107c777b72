#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace temper::detail {

/// A hash table from tensor ids to slots of a tape. clear() takes constant time and keeps the memory.
class SlotMap {
 public:
  static constexpr std::int32_t absent = -2;

  std::int32_t find(std::uint64_t id) const {
    if (entries_.empty()) return absent;
    const Entry& entry = entries_[place_of(id)];
    return entry.round == round_ ? entry.slot : absent;
  }

  /// Does not throw after make_room().
  void set(std::uint64_t id, std::int32_t slot) {
    make_room();
    Entry& entry = entries_[place_of(id)];
    if (entry.round != round_) ++count_;
    entry = {id, slot, round_};
  }

  /// Room for one more.
  void make_room() {
    if (2 * (count_ + 1) <= entries_.size()) return;
    std::vector<Entry> old(entries_.empty() ? 256 : 2 * entries_.size());
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.round == round_) entries_[place_of(entry.id)] = entry;
    }
  }

  void clear() {
    count_ = 0;
    if (++round_ != 0) return;
    entries_.assign(entries_.size(), {});
    round_ = 1;
  }

 private:
  struct Entry {
    std::uint64_t id = 0;
    std::int32_t slot = absent;
    std::uint32_t round = 0;  // that of the map when it was set; entries of others are empty
  };

  /// The index of an id's entry, or of the empty entry where it belongs. Ids are consecutive numbers; multiplying by
  /// the golden ratio spreads them over the table (Fibonacci hashing).
  std::size_t place_of(std::uint64_t id) const {
    const std::size_t last = entries_.size() - 1;
    std::size_t place = static_cast<std::size_t>(id * 0x9e3779b97f4a7c15u >> std::countl_zero(last));
    while (entries_[place].round == round_ && entries_[place].id != id) place = (place + 1) & last;
    return place;
  }

  std::vector<Entry> entries_;  // a power of two of them, at most half in use
  std::size_t count_ = 0;
  std::uint32_t round_ = 1;
};

}  // namespace temper::detail
