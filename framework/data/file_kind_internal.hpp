#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace temper::detail {

/// What a file is, by its first bytes, for the message of a reader that expected something else: "an HTML page". Empty
/// when they are of no kind that people often mix up.
std::string_view file_kind(std::span<const std::byte> start);

}  // namespace temper::detail
