#pragma once

#include <string>
#include <string_view>

namespace temper::detail {

/// Whether a name matches a pattern: * stands for any characters, ? for one.
bool matches(std::string_view pattern, std::string_view name);

/// The name after renaming: `to`, with its * replaced by what the * of `from` matches in `name`. At most one * in each.
std::string renamed(std::string_view name, std::string_view from, std::string_view to);

}  // namespace temper::detail
