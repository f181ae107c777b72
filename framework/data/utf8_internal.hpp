#pragma once

#include <cstddef>
#include <string_view>

namespace temper::detail {

/// Bytes of the character that begins a text; 0 when it does not begin with one. Source: RFC 3629, section 4.
std::size_t character_length(std::string_view text);

}  // namespace temper::detail
