#include "framework/core/pattern_internal.hpp"

#include <algorithm>
#include <cstddef>

namespace temper::detail {

bool matches(std::string_view pattern, std::string_view name) {
  // After a mismatch the last star is tried again with one more character.
  std::size_t p = 0, n = 0, star = std::string_view::npos, taken = 0;
  while (n < name.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n]) && pattern[p] != '*') {
      ++p;
      ++n;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      taken = n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++taken;
    } else {
      return false;
    }
  }
  return std::all_of(pattern.begin() + static_cast<std::ptrdiff_t>(p), pattern.end(), [](char c) { return c == '*'; });
}

std::string renamed(std::string_view name, std::string_view from, std::string_view to) {
  const std::size_t star = from.find('*'), place = to.find('*');
  if (star == from.npos || place == to.npos) return std::string(to);
  return std::string(to).replace(place, 1, name.substr(star, name.size() - (from.size() - 1)));
}

}  // namespace temper::detail
