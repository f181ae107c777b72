#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace temper::data {

/// A whole text file, unpacked if it is compressed by gzip.
/// Throws: FileError when it cannot be read, is damaged, or has more than `max_bytes`.
std::string read_text(const std::filesystem::path& path, std::uint64_t max_bytes = std::uint64_t{4} << 30);

/// The lines of a text without their ends ("\n" or "\r\n"), empty ones left out.
std::vector<std::string> lines(std::string_view text);

/// A text in two parts.
struct SplitText {
  std::string train, test;
};
/// Cuts a text before the first line that begins at or after the share `1 - held_out` of its bytes.
/// Throws: ValueError for a share outside 0 to 1.
SplitText split_text(const std::string& text, double held_out = 0.1);

}  // namespace temper::data
