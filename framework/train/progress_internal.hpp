#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace temper::detail {

struct ProgressFigures {
  std::string_view label;
  std::int64_t done = 0, total = 0;
  double rate = 0;  ///< a second
  std::int64_t seconds_left = 0;
};

/// The line of a progress bar that fits into a terminal of so many columns; with 0 a plain line, as for a file. Written
/// into `line`.
std::string_view progress_line(std::span<char> line, const ProgressFigures& now, int columns);

}  // namespace temper::detail
