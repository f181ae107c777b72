// The table by which SentencePiece normalizes: a double array that maps beginnings of a text to what replaces them.
// Source: github.com/s-yata/darts-clone, whose units these are; sentencepiece, doc/normalization.md.

#include <cstring>
#include <memory>

#include "framework/core/format_internal.hpp"
#include "framework/data/subword/steps_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"

namespace temper::data::subword {

namespace {

std::string from_base64(const JsonNode& node) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string written = node.text();
  std::string_view text = written;
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t digit = digits.find(c);
    if (digit == std::string_view::npos) fail<FileError>("{} is not base64", node.place());
    bits = (bits << 6 | static_cast<unsigned>(digit)) & 0xffffff;
    if ((count += 6) < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xff);
  }
  return bytes;
}

class CharacterMap {
 public:
  explicit CharacterMap(const JsonNode& node) {
    const std::string bytes = from_base64(node);
    std::uint32_t size = 0;
    if (bytes.size() < 4) fail<FileError>("{}: {} bytes, expected a table and its size", node.place(), bytes.size());
    std::memcpy(&size, bytes.data(), 4);
    if (size % 4 != 0 || size == 0 || size > bytes.size() - 4) {
      fail<FileError>("{}: a table of {} bytes within {}", node.place(), size, bytes.size() - 4);
    }
    units_.resize(size / 4);
    std::memcpy(units_.data(), bytes.data() + 4, size);
    texts_ = bytes.substr(4 + size);
    if (temper::data::subword::repaired(texts_) != texts_) fail<FileError>("{}: its texts are not UTF-8", node.place());
  }

  /// What replaces the shortest beginning of a text that is in the table, without data when there is none.
  std::string_view find(std::string_view text) const {
    std::size_t place = offset(units_[0]);
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte == 0) break;
      place ^= byte;
      if (place >= units_.size() || (units_[place] & 0x800000ff) != byte) break;
      const std::uint32_t unit = units_[place];
      place ^= offset(unit);
      if ((unit >> 8 & 1) == 0) continue;
      const std::size_t begin = place < units_.size() ? units_[place] & 0x7fffffff : texts_.size();
      if (begin >= texts_.size()) break;
      const std::string_view rest = std::string_view(texts_).substr(begin);
      return rest.substr(0, rest.find('\0'));
    }
    return {};
  }

 private:
  static std::size_t offset(std::uint32_t unit) { return std::size_t{unit >> 10} << ((unit & 0x200) >> 6); }

  std::vector<std::uint32_t> units_;
  std::string texts_;
};

}  // namespace

Normalize precompiled(const JsonNode& node) {
  return [map = std::make_shared<const CharacterMap>(node)](std::string& text, bool&) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size();) {
      if (out.size() > most_text(text.size())) refuse_growth(text.size());
      const std::size_t end = end_of_grapheme(text, i);
      const std::string_view grapheme = std::string_view(text).substr(i, end - i);
      // Of a short cluster of characters, the whole one is replaced, though the table was asked for a beginning.
      const std::string_view whole = grapheme.size() < 6 ? map->find(grapheme) : std::string_view();
      if (whole.data() != nullptr) {
        out += whole;
        i = end;
        continue;
      }
      for (; i < end; i += character_at(text, i).bytes) {
        const std::string_view one = std::string_view(text).substr(i, character_at(text, i).bytes);
        const std::string_view part = map->find(one);
        out += part.data() != nullptr ? part : one;
      }
    }
    text = std::move(out);
  };
}

}  // namespace temper::data::subword
