#include "framework/kernels/sort.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include <temper/core/parallel.hpp>

#include "framework/kernels/scratch_internal.hpp"

namespace temper::kernels {

namespace {

constexpr Index grain = 1 << 12;
constexpr Index few = 512;  // up to here comparing is faster than counting

/// A number as an unsigned one of the same order, and its place in the line.
template <class Key>
struct Entry {
  Key key, place;
  friend bool operator<(const Entry& a, const Entry& b) { return a.key != b.key ? a.key < b.key : a.place < b.place; }
};

std::uint32_t key_of(float x) {
  if (x != x) return ~std::uint32_t{0};
  const auto bits = std::bit_cast<std::uint32_t>(x + 0.0f);  // of -0, too, those of 0
  const std::uint32_t sign = std::uint32_t{1} << 31;
  return bits & sign ? ~bits : bits | sign;
}
std::uint64_t key_of(std::int64_t x) { return static_cast<std::uint64_t>(x) ^ std::uint64_t{1} << 63; }

template <class T>
using EntryOf = Entry<decltype(key_of(T{}))>;

/// By the key's digits, the last first: each pass keeps what the one before it has sorted. `spare` has room for n.
template <class Key>
void radix_sort(Entry<Key>* entries, Entry<Key>* spare, Index n) {
  constexpr int digit = 11, passes = (8 * sizeof(Key) + digit - 1) / digit;
  constexpr std::size_t digits = std::size_t{1} << digit;
  Entry<Key>*from = entries, *to = spare;
  for (int pass = 0; pass < passes; ++pass) {
    const int shift = pass * digit;
    std::array<Index, digits> start{};
    for (Index i = 0; i < n; ++i) ++start[from[i].key >> shift & (digits - 1)];
    if (start[from[0].key >> shift & (digits - 1)] == n) continue;  // all are alike
    Index total = 0;
    for (Index& count : start) total += std::exchange(count, total);
    for (Index i = 0; i < n; ++i) to[start[from[i].key >> shift & (digits - 1)]++] = from[i];
    std::swap(from, to);
  }
  if (from != entries) std::copy_n(from, n, entries);
}

/// Calls order(entries, spare) for each line, with the keys inverted to descend, and writes the first k.
template <class T, class Order>
void for_lines(const T* x, Index outer, Index n, Index inner, Index k, bool descending, T* values, std::int64_t* places,
               Order order) {
  using Line = EntryOf<T>;
  using Key = decltype(Line::key);
  const Key flip = descending ? ~Key{0} : Key{0};
  parallel_for(outer * inner, std::max<Index>(1, grain / std::max<Index>(1, n)), [&](Index begin, Index end) {
    const Scratch<Line> memory(2 * n);
    for (Index line = begin; line < end; ++line) {
      const T* const from = x + line / inner * n * inner + line % inner;
      Line* const entries = memory.data();
      for (Index j = 0; j < n; ++j) {
        entries[j] = {static_cast<Key>(key_of(from[j * inner]) ^ flip), static_cast<Key>(j)};
      }
      order(entries, entries + n);
      const Index first = line / inner * k * inner + line % inner;
      for (Index j = 0; j < k; ++j) {
        const auto place = static_cast<Index>(entries[j].place);
        if (values != nullptr) values[first + j * inner] = from[place * inner];
        if (places != nullptr) places[first + j * inner] = place;
      }
    }
  });
}

}  // namespace

template <class T>
void sort(const T* x, Index outer, Index n, Index inner, bool descending, T* values, std::int64_t* places) {
  if (n == 0) return;
  for_lines(x, outer, n, inner, n, descending, values, places, [n](auto* entries, auto* spare) {
    if (n <= few) {
      std::sort(entries, entries + n);
    } else {
      radix_sort(entries, spare, n);
    }
  });
}
template void sort(const float*, Index, Index, Index, bool, float*, std::int64_t*);
template void sort(const std::int64_t*, Index, Index, Index, bool, std::int64_t*, std::int64_t*);

template <class T>
void top(const T* x, Index outer, Index n, Index inner, Index k, bool descending, T* values, std::int64_t* places) {
  if (k == 0) return;
  for_lines(x, outer, n, inner, k, descending, values, places, [n, k](auto* entries, auto*) {
    if (k * 64 <= n) {
      std::partial_sort(entries, entries + k, entries + n);
    } else {
      std::nth_element(entries, entries + (k - 1), entries + n);
      std::sort(entries, entries + k);
    }
  });
}
template void top(const float*, Index, Index, Index, Index, bool, float*, std::int64_t*);
template void top(const std::int64_t*, Index, Index, Index, Index, bool, std::int64_t*, std::int64_t*);

}  // namespace temper::kernels
