#include <temper/data/text.hpp>

#include <algorithm>
#include <cmath>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::data {

std::string read_text(const std::filesystem::path& path, std::uint64_t max_bytes) {
  return temper::detail::read_text(path, max_bytes);
}

std::vector<std::string> lines(std::string_view text) {
  std::vector<std::string> result;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) result.emplace_back(line);
    begin = end + 1;
  }
  return result;
}

SplitText split_text(const std::string& text, double held_out) {
  if (!(held_out >= 0.0 && held_out <= 1.0)) fail<ValueError>("held_out {}, expected a share from 0 to 1", held_out);
  auto cut = static_cast<std::size_t>(std::ceil((1.0 - held_out) * static_cast<double>(text.size())));
  if (cut > 0 && cut < text.size() && text[cut - 1] != '\n') {
    const std::size_t end = text.find('\n', cut);
    cut = end == std::string::npos ? text.size() : end + 1;
  }
  return {text.substr(0, cut), text.substr(std::min(cut, text.size()))};
}

}  // namespace temper::data
