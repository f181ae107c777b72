#include <algorithm>
#include <optional>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/subword/steps_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"

namespace temper::data::subword {

namespace {

/// Calls visit(code, the character's bytes) for each character.
template <class Visit>
void each_character(std::string_view text, Visit visit) {
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, bytes] = character_at(text, i);
    visit(code, text.substr(i, bytes));
    i += bytes;
  }
}

/// Keeps the characters for which change(code) is true, and puts a space for those for which it is nothing.
template <class Change>
void filter(std::string& text, bool& first, Change change) {
  std::string out;
  out.reserve(text.size());
  each_character(text, [&](char32_t code, std::string_view bytes) {
    const std::optional<bool> keeps = change(code);
    if (!keeps) {
      out += ' ';
    } else if (*keeps) {
      out += bytes;
    } else if (bytes.data() == text.data()) {
      first = false;
    }
  });
  text = std::move(out);
}

bool is_ideograph(char32_t c) {
  return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
         (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) || (c >= 0x2b920 && c <= 0x2ceaf) ||
         (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

/// Without control characters, with every white space as a space.
void clean(std::string& text, bool& first) {
  static const std::uint32_t others = categories("Cc") | categories("Cf") | categories("Co") | categories("Cs");
  filter(text, first, [](char32_t code) -> std::optional<bool> {
    if (code == '\t' || code == '\n' || code == '\r') return {};
    if (code == 0 || code == 0xfffd || (category_bit(code) & others) != 0) return false;
    if (is_space(code)) return {};
    return true;
  });
}

void space_ideographs(std::string& text) {
  if (is_ascii(text)) return;
  std::string out;
  out.reserve(text.size());
  each_character(text, [&](char32_t code, std::string_view bytes) {
    if (is_ideograph(code)) {
      out.append(" ").append(bytes).append(" ");
    } else {
      out += bytes;
    }
  });
  text = std::move(out);
}

/// Without characters of these categories.
void drop(std::string& text, bool& first, std::uint32_t bits) {
  if (is_ascii(text)) return;
  filter(text, first, [=](char32_t code) { return std::optional((category_bit(code) & bits) == 0); });
}

Normalize read_bert(const JsonNode& node) {
  const bool cleans = node.flag("clean_text", true), spaces = node.flag("handle_chinese_chars", true);
  const bool lower = node.flag("lowercase", true), strips = node.flag("strip_accents", lower);
  return [=, marks = categories("Mn")](std::string& text, bool& first) {
    if (cleans) clean(text, first);
    if (spaces) space_ideographs(text);
    if (strips) {
      normalize(text, Form::nfd);
      drop(text, first, marks);
    }
    if (lower) lowercase(text);
  };
}

Normalize read_strip(const JsonNode& node) {
  const bool left = node.flag("strip_left", true), right = node.flag("strip_right", true);
  return [=](std::string& text, bool& first) {
    std::size_t begin = 0, end = text.size();
    while (left && begin < end) {
      const auto [code, bytes] = character_at(text, begin);
      if (!is_space(code)) break;
      begin += bytes;
    }
    while (right && begin < end) {
      const std::size_t last = begin_of_character(text, end);
      if (!is_space(character_at(text, last).code)) break;
      end = last;
    }
    first = first && begin == 0;
    text = text.substr(begin, end - begin);
  };
}

/// What SentencePiece's "nmt" rules do with white space and control characters.
void nmt(std::string& text, bool& first) {
  filter(text, first, [](char32_t c) -> std::optional<bool> {
    if ((c >= 1 && c <= 8) || c == 0xb || (c >= 0xe && c <= 0x1f) || c == 0x7f || c == 0x8f || c == 0x9f) return false;
    const bool space = c == 9 || c == 0xa || c == 0xc || c == 0xd || c == 0x1680 || (c >= 0x200b && c <= 0x200f) ||
                       c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xfeff || c == 0xfffd;
    return space ? std::nullopt : std::optional(true);
  });
}

Normalize read_replace(const JsonNode& node) {
  return [pattern = read_pattern(node.at("pattern")), content = node.at("content").text()](std::string& text,
                                                                                           bool& first) {
    std::vector<Match> matches;
    pattern.find_all(text, matches);
    if (std::ranges::none_of(matches, &Match::found)) return;
    // Whoever asks what the text began with is told of the last character that was replaced.
    const Match& begin = matches.front();
    if (begin.found && (content.empty() || begin.end > character_at(text, 0).bytes)) first = false;
    std::string out;
    for (const Match& match : matches) {
      if (out.size() > most_text(text.size())) refuse_growth(text.size());
      out +=
          match.found ? std::string_view(content) : std::string_view(text).substr(match.begin, match.end - match.begin);
    }
    text = std::move(out);
  };
}

void read(const JsonNode& node, std::vector<Normalize>& steps) {
  const std::string type = node.at("type").text();
  if (type == "Sequence") {
    node.at("normalizers").each([&](const JsonNode& step) { read(step, steps); });
  } else if (type == "BertNormalizer") {
    steps.push_back(read_bert(node));
  } else if (type == "Lowercase") {
    steps.emplace_back([](std::string& text, bool&) { lowercase(text); });
  } else if (type == "NFC") {
    steps.emplace_back([](std::string& text, bool&) { normalize(text, Form::nfc); });
  } else if (type == "NFD") {
    steps.emplace_back([](std::string& text, bool&) { normalize(text, Form::nfd); });
  } else if (type == "NFKC") {
    steps.emplace_back([](std::string& text, bool&) { normalize(text, Form::nfkc); });
  } else if (type == "NFKD") {
    steps.emplace_back([](std::string& text, bool&) { normalize(text, Form::nfkd); });
  } else if (type == "StripAccents") {
    steps.emplace_back([marks = categories("M")](std::string& text, bool& first) { drop(text, first, marks); });
  } else if (type == "Strip") {
    steps.push_back(read_strip(node));
  } else if (type == "Nmt") {
    steps.emplace_back(nmt);
  } else if (type == "Prepend") {
    steps.emplace_back([prefix = node.at("prepend").text()](std::string& text, bool&) {
      if (!text.empty()) text.insert(0, prefix);
    });
  } else if (type == "Replace") {
    steps.push_back(read_replace(node));
  } else if (type == "Precompiled") {
    if (const auto map = node.find("precompiled_charsmap")) steps.push_back(precompiled(*map));
  } else if (type == "ByteLevel") {
    steps.emplace_back([](std::string& text, bool&) { text = bytes_as_characters(text); });
  } else {
    refuse_type(node, type,
                "BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, "
                "Sequence, Strip, StripAccents");
  }
}

}  // namespace

void refuse_type(const JsonNode& node, std::string_view type, std::string_view supported) {
  fail<FileError>("{}: type \"{}\" is not supported; expected one of {}", node.place(), temper::detail::printable(type),
                  supported);
}

Pattern read_pattern(const JsonNode& node) {
  try {
    if (const auto text = node.find("String")) return Pattern::literal(text->text());
    return Pattern(node.at("Regex").text());
  } catch (const FileError& error) {
    fail<FileError>("{}: {}", node.place(), error.what());
  }
}

void run(const std::vector<Normalize>& steps, std::string& text, bool& first) {
  const std::size_t bytes = text.size();
  for (const Normalize& step : steps) {
    step(text, first);
    if (text.size() > most_text(bytes)) refuse_growth(bytes);
  }
}

void refuse_growth(std::size_t bytes) {
  fail<ValueError>("tokenizer: its steps make more than {} bytes of {}", most_text(bytes), bytes);
}

std::vector<Normalize> read_normalizer(const JsonNode& node) {
  std::vector<Normalize> steps;
  read(node, steps);
  return steps;
}

}  // namespace temper::data::subword
