#pragma once

#include <functional>
#include <map>
#include <string>

namespace temper::detail {

/// Tensors that do not match, by name: what is known of each, such as "f32 [2, 3]".
using Unmatched = std::map<std::string, std::string, std::less<>>;

/// The lines of an error about names that do not match: a line for each; if one prefix makes up the difference,
/// a single line that says how to rename.
struct UnmatchedLines {
  std::string missing, unexpected;
};
UnmatchedLines unmatched_lines(const Unmatched& missing, const Unmatched& unexpected);

}  // namespace temper::detail
