#pragma once

#include <cstddef>
#include <string_view>

namespace temper::detail {

/// Bytes of the character that begins a text; 0 when it does not begin with one. Source: RFC 3629, section 4.
std::size_t character_length(std::string_view text);

/// The position of the first byte that is not UTF-8; npos when all is.
std::size_t find_invalid_utf8(std::string_view text);

}  // namespace temper::detail
