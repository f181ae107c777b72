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

}  // namespace temper
