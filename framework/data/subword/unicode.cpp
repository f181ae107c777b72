#include "framework/data/subword/unicode_internal.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/data/utf8_internal.hpp"

namespace temper::data::subword {

namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

utf8proc_int32_t code_of(char32_t code) { return static_cast<utf8proc_int32_t>(code); }

/// Bytes, at least 1, of the longest beginning of a character that stands at the begin of a text that is not UTF-8.
std::size_t broken_bytes(std::string_view text) {
  for (std::size_t bytes = std::min<std::size_t>(text.size(), 3); bytes > 1; --bytes) {
    // It is one if bytes exist that complete it, and past the second byte 80 always does.
    std::string begun(text.substr(0, bytes));
    while (begun.size() < 4) {
      begun += '\x80';
      if (temper::detail::character_length(begun) == begun.size()) return bytes;
    }
  }
  return 1;
}

}  // namespace

void append(std::string& text, char32_t code) {
  std::array<utf8proc_uint8_t, 4> bytes;
  const auto count = utf8proc_encode_char(code_of(code), bytes.data());
  text.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string repaired(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t valid = std::min(temper::detail::find_invalid_utf8(text), text.size());
    out += text.substr(0, valid);
    text.remove_prefix(valid);
    if (text.empty()) break;
    out += replacement;
    text.remove_prefix(broken_bytes(text));
  }
  return out;
}

std::uint32_t category_bit(char32_t code) { return std::uint32_t{1} << utf8proc_category(code_of(code)); }

std::uint32_t categories(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, utf8proc_category_t>, 30> all = {{
      {"Lu", UTF8PROC_CATEGORY_LU}, {"Ll", UTF8PROC_CATEGORY_LL}, {"Lt", UTF8PROC_CATEGORY_LT},
      {"Lm", UTF8PROC_CATEGORY_LM}, {"Lo", UTF8PROC_CATEGORY_LO}, {"Mn", UTF8PROC_CATEGORY_MN},
      {"Mc", UTF8PROC_CATEGORY_MC}, {"Me", UTF8PROC_CATEGORY_ME}, {"Nd", UTF8PROC_CATEGORY_ND},
      {"Nl", UTF8PROC_CATEGORY_NL}, {"No", UTF8PROC_CATEGORY_NO}, {"Pc", UTF8PROC_CATEGORY_PC},
      {"Pd", UTF8PROC_CATEGORY_PD}, {"Ps", UTF8PROC_CATEGORY_PS}, {"Pe", UTF8PROC_CATEGORY_PE},
      {"Pi", UTF8PROC_CATEGORY_PI}, {"Pf", UTF8PROC_CATEGORY_PF}, {"Po", UTF8PROC_CATEGORY_PO},
      {"Sm", UTF8PROC_CATEGORY_SM}, {"Sc", UTF8PROC_CATEGORY_SC}, {"Sk", UTF8PROC_CATEGORY_SK},
      {"So", UTF8PROC_CATEGORY_SO}, {"Zs", UTF8PROC_CATEGORY_ZS}, {"Zl", UTF8PROC_CATEGORY_ZL},
      {"Zp", UTF8PROC_CATEGORY_ZP}, {"Cc", UTF8PROC_CATEGORY_CC}, {"Cf", UTF8PROC_CATEGORY_CF},
      {"Cs", UTF8PROC_CATEGORY_CS}, {"Co", UTF8PROC_CATEGORY_CO}, {"Cn", UTF8PROC_CATEGORY_CN},
  }};
  std::uint32_t bits = 0;
  if (name.empty()) return bits;
  for (const auto& [key, category] : all) {
    if (key.starts_with(name)) bits |= std::uint32_t{1} << category;
  }
  return bits;
}

bool is_space(char32_t code) {
  if (code < 0x80) return code == ' ' || (code >= '\t' && code <= '\r');
  static const std::uint32_t spaces = categories("Z");
  return code == 0x85 || (category_bit(code) & spaces) != 0;
}

bool is_word(char32_t code) {
  static const std::uint32_t words =
      categories("L") | categories("M") | categories("Nd") | categories("Nl") | categories("Pc");
  // Other_Alphabetic beyond the marks: letters in circles and squares.
  const bool enclosed = (code >= 0x24b6 && code <= 0x24e9) || (code >= 0x1f130 && code <= 0x1f149) ||
                        (code >= 0x1f150 && code <= 0x1f169) || (code >= 0x1f170 && code <= 0x1f189);
  const bool joiner = code == 0x200c || code == 0x200d;
  return (category_bit(code) & words) != 0 || enclosed || joiner;
}

bool is_punctuation(char32_t code) {
  if (code < 0x80) {
    return (code >= '!' && code <= '/') || (code >= ':' && code <= '@') || (code >= '[' && code <= '`') ||
           (code >= '{' && code <= '~');
  }
  static const std::uint32_t punctuation = categories("P");
  return (category_bit(code) & punctuation) != 0;
}

void lowercase(std::string& text) {
  std::size_t i = 0;
  for (; i < text.size() && static_cast<unsigned char>(text[i]) < 0x80; ++i) {
    if (text[i] >= 'A' && text[i] <= 'Z') text[i] = static_cast<char>(text[i] + 'a' - 'A');
  }
  if (i == text.size()) return;
  std::string lower = text.substr(0, i);
  while (i < text.size()) {
    const auto [code, bytes] = character_at(text, i);
    if (code == 0x130) {
      lower += "i\xcc\x87";  // the one character whose lower case is two
    } else {
      append(lower, static_cast<char32_t>(utf8proc_tolower(code_of(code))));
    }
    i += bytes;
  }
  text = std::move(lower);
}

void normalize(std::string& text, Form form) {
  if (is_ascii(text)) return;
  const bool composed = form == Form::nfc || form == Form::nfkc;
  const bool compatible = form == Form::nfkc || form == Form::nfkd;
  const auto options = static_cast<utf8proc_option_t>(
      UTF8PROC_STABLE | (composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) | (compatible ? UTF8PROC_COMPAT : 0));
  const auto decompose = [&](std::vector<utf8proc_int32_t>& codes) {
    return utf8proc_decompose(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), std::ssize(text), codes.data(),
                              std::ssize(codes), options);
  };
  std::vector<utf8proc_int32_t> codes(text.size());
  auto count = decompose(codes);
  if (count > std::ssize(codes)) {
    codes.resize(static_cast<std::size_t>(count));
    count = decompose(codes);
  }
  if (count >= 0) count = utf8proc_normalize_utf32(codes.data(), count, options);
  if (count < 0) fail<ValueError>("tokenizer: normalizing {} bytes of text: {}", text.size(), utf8proc_errmsg(count));
  text.clear();
  for (const auto code : std::span(codes).first(static_cast<std::size_t>(count)))
    append(text, static_cast<char32_t>(code));
}

std::size_t end_of_grapheme(std::string_view text, std::size_t begin) {
  auto [before, bytes] = character_at(text, begin);
  utf8proc_int32_t state = 0;
  for (begin += bytes; begin < text.size(); begin += bytes) {
    const Character next = character_at(text, begin);
    if (utf8proc_grapheme_break_stateful(code_of(before), code_of(next.code), &state)) break;
    before = next.code;
    bytes = next.bytes;
  }
  return begin;
}

}  // namespace temper::data::subword
