#pragma once

#include <concepts>
#include <cstdint>

namespace temper {

/// One number for both axes of an image, or one for each: `.stride = 2`, `.stride = {2, 1}`.
struct Pair2 {
  template <std::integral Number>
  constexpr Pair2(Number both) : h(both), w(both) {}
  constexpr Pair2(std::int64_t its_h, std::int64_t its_w) : h(its_h), w(its_w) {}

  std::int64_t h;  ///< rows
  std::int64_t w;  ///< columns

  friend bool operator==(const Pair2&, const Pair2&) = default;
};

/// Number of elements added before and after an axis.
struct Padding {
  std::int64_t before = 0;
  std::int64_t after = 0;

  friend bool operator==(const Padding&, const Padding&) = default;
};

/// What is added around an image: `.padding = 1` on all sides, `{2, 1}` above and below and at the left and right,
/// `{{0, 1}, {0, 2}}` one below and two at the right.
struct Padding2 {
  template <std::integral Number>
  constexpr Padding2(Number all) : Padding2(Pair2(all)) {}
  constexpr Padding2(std::int64_t both_h, std::int64_t both_w) : h{both_h, both_h}, w{both_w, both_w} {}
  constexpr Padding2(Pair2 both) : Padding2(both.h, both.w) {}
  constexpr Padding2(Padding its_h, Padding its_w) : h(its_h), w(its_w) {}

  Padding h;  ///< above and below
  Padding w;  ///< left and right

  /// Whether opposite sides have the same.
  constexpr bool even() const { return h.before == h.after && w.before == w.after; }
  friend bool operator==(const Padding2&, const Padding2&) = default;
};

}  // namespace temper
