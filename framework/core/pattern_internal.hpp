#pragma once

#include <string>
#include <string_view>

namespace temper::detail {

/// Whether a name matches a pattern: * stands for any characters, ? for one.
bool matches(std::string_view pattern, std::string_view name);

/// What a name that matches `from` becomes: `to`, with what * stands for in its *. One * on each side at most.
std::string renamed(std::string_view name, std::string_view from, std::string_view to);

}  // namespace temper::detail
