#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace temper::data::subword {

/// A character and the bytes it takes.
struct Character {
  char32_t code;
  std::size_t bytes;
};

/// The character that begins at `place` of a text, which must be UTF-8.
inline Character character_at(std::string_view text, std::size_t place) {
  const auto byte = [&](std::size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[place + i])); };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  if (lead < 0xe0) return {(lead & 0x1f) << 6 | (byte(1) & 0x3f), 2};
  if (lead < 0xf0) return {(lead & 0x0f) << 12 | (byte(1) & 0x3f) << 6 | (byte(2) & 0x3f), 3};
  return {(lead & 0x07) << 18 | (byte(1) & 0x3f) << 12 | (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f), 4};
}

/// Where the character that ends at `place` begins.
inline std::size_t begin_of_character(std::string_view text, std::size_t place) {
  do --place;
  while (place > 0 && (static_cast<unsigned char>(text[place]) & 0xc0) == 0x80);
  return place;
}

void append(std::string& text, char32_t code);

bool is_ascii(std::string_view text);

/// The text, each byte sequence that is not UTF-8 replaced by U+FFFD: one for each longest beginning of a character, as
/// Python's errors="replace" does. Source: The Unicode Standard, section 3.9, "U+FFFD Substitution of Maximal
/// Subparts".
std::string repaired(std::string_view text);

/// A general category of Unicode as one bit.
std::uint32_t category_bit(char32_t code);
/// The bits of a category such as "Lu", or of a class of them such as "L"; 0 when there is none of this name.
std::uint32_t categories(std::string_view name);

/// White_Space of Unicode.
bool is_space(char32_t code);
/// What \w is for Rust's regular expressions: letters, marks, decimal digits, connecting punctuation, joiners.
bool is_word(char32_t code);
/// Punctuation of Unicode, and what else of ASCII is neither letter, digit, space nor control.
bool is_punctuation(char32_t code);

void lowercase(std::string& text);

/// The four normal forms. Source: Unicode Standard Annex 15.
enum class Form { nfc, nfd, nfkc, nfkd };
void normalize(std::string& text, Form form);

/// Where the extended grapheme cluster that begins at `begin` ends. Source: Unicode Standard Annex 29.
std::size_t end_of_grapheme(std::string_view text, std::size_t begin);

}  // namespace temper::data::subword
