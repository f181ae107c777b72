#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper::detail {

/// The entries of a config.toml in order: `section.key` and the value, strings without quotes, all else as in TOML.
using Config = std::vector<std::pair<std::string, std::string>>;

/// Parses a configuration. Throws: FileError that says what is wrong in which line.
Config read_config(std::string_view toml);

/// `text` as a TOML string on one line. Throws: ValueError for a text that is not UTF-8, which TOML cannot represent.
std::string toml_string(std::string_view text);

}  // namespace temper::detail
