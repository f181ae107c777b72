#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace temper::detail {

struct ProgressFigures {
  std::string_view label;
  std::int64_t done = 0, total = 0;
  double rate = 0;  ///< iterations per second
  std::int64_t seconds_left = 0;
};

/// Writes the line of a progress bar for a terminal of `columns` columns to `line`, or a plain line when that is 0, as
/// for a file. Returns the written part.
std::string_view progress_line(std::span<char> line, const ProgressFigures& now, int columns);

}  // namespace temper::detail
