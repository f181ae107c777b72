// Checks of a JSON text that need no grammar. They refuse a malicious header, with an error for each kind of fault,
// before the JSON library reads it.

#include <array>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/utf8_internal.hpp"
#include "framework/io/safetensors_internal.hpp"

namespace temper::detail {

namespace {

constexpr int max_depth = 16;  // a header needs 3
constexpr std::string_view white_space = " \t\r\n";

unsigned char byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

/// Four hexadecimal digits at `i`, or -1.
int hex4(std::string_view text, std::size_t i) {
  if (text.size() < 4 || i > text.size() - 4) return -1;
  int value = 0;
  for (const char c : text.substr(i, 4)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/// The last byte of the escape that begins with the backslash at `i`; npos when there is no such escape.
std::size_t end_of_escape(std::string_view text, std::size_t i) {
  constexpr std::string_view simple = "\"\\/bfnrt";
  if (i + 1 >= text.size()) return std::string_view::npos;
  if (simple.find(text[i + 1]) != std::string_view::npos) return i + 1;
  const int code = text[i + 1] == 'u' ? hex4(text, i + 2) : -1;
  if (code < 0 || (code >= 0xDC00 && code <= 0xDFFF)) return std::string_view::npos;
  if (code < 0xD800 || code > 0xDBFF) return i + 5;
  const int low = text.substr(i + 6).starts_with("\\u") ? hex4(text, i + 8) : -1;
  return low >= 0xDC00 && low <= 0xDFFF ? i + 11 : std::string_view::npos;
}

/// The closing quote of the string that begins with the quote at `i`.
std::size_t end_of_string(std::string_view text, std::size_t i) {
  for (++i; i < text.size(); ++i) {
    if (text[i] == '"') return i;
    if (byte_at(text, i) < 0x20) fail<FileError>("json_syntax: a raw control character in a string, at byte {}", i);
    if (text[i] == '\\') {
      const std::size_t end = end_of_escape(text, i);
      if (end == std::string_view::npos) {
        fail<FileError>("json_bad_escape: at byte {} of the header: '{}'", i, printable(text.substr(i, 6)));
      }
      i = end;
    }
  }
  fail<FileError>("json_syntax: the header ends within a string");
}

std::size_t begin_of_object(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(white_space);
  if (begin == std::string_view::npos) fail<FileError>("header_must_start_with_brace: the header is blank");
  if (text[begin] == '{') return begin;
  constexpr std::string_view value_starts = "[\"-0123456789tfn";
  if (value_starts.find(text[begin]) != std::string_view::npos) {
    fail<FileError>("header_not_object: the header is another JSON value");
  }
  fail<FileError>("header_must_start_with_brace: the header begins with byte {:02x}", byte_at(text, begin));
}

}  // namespace

void check_json_text(std::string_view text) {
  if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
    std::string bytes;
    for (const char c : text.substr(bad, 4)) bytes += fmt::format(" {:02x}", static_cast<unsigned char>(c));
    fail<FileError>("header_not_utf8: at byte {} of the header:{}", bad, bytes);
  }
  int depth = 0;
  for (std::size_t i = begin_of_object(text); i < text.size(); ++i) {
    switch (text[i]) {
      case '"': i = end_of_string(text, i); break;
      case '{':
      case '[':
        if (++depth > max_depth) fail<FileError>("json_depth: nested more than {} deep, at byte {}", max_depth, i);
        break;
      case '}':
      case ']':
        if (--depth > 0) break;
        if (const std::size_t rest = text.find_first_not_of(white_space, i + 1); rest != std::string_view::npos) {
          fail<FileError>("json_trailing: byte {:02x} after the header's object", byte_at(text, rest));
        }
        return;
      default: break;
    }
  }
  fail<FileError>("json_syntax: the header ends within its object");
}

}  // namespace temper::detail
