#include <algorithm>
#include <array>

#include "framework/core/format_internal.hpp"
#include "framework/data/subword/steps_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"

namespace temper::data::subword {

namespace {

/// What becomes of the matches that a text is cut at.
enum class Matched { removed, isolated, contiguous, merged_with_previous, merged_with_next };

Matched read_behavior(const JsonNode& node) {
  const std::string name = node.text();
  if (name == "Removed") return Matched::removed;
  if (name == "Isolated") return Matched::isolated;
  if (name == "Contiguous") return Matched::contiguous;
  if (name == "MergedWithPrevious") return Matched::merged_with_previous;
  if (name == "MergedWithNext") return Matched::merged_with_next;
  fail<FileError>("{} is none of Removed, Isolated, Contiguous, MergedWithPrevious, MergedWithNext", node.place());
}

/// Joins the matches with what stands beside them; those left in the list are pieces.
void join(std::vector<Match>& matches, Matched behavior) {
  std::size_t kept = 0;
  const auto keep = [&](const Match& match) { matches[kept++] = match; };
  bool before = false;
  if (behavior == Matched::merged_with_next) std::ranges::reverse(matches);
  for (std::size_t i = 0; i < matches.size(); ++i) {
    const Match match = matches[i];
    bool joined = false;
    switch (behavior) {
      case Matched::removed:
        if (!match.found) keep(match);
        continue;
      case Matched::isolated: keep(match); continue;
      case Matched::contiguous: joined = match.found == before; break;
      default: joined = match.found && !before;
    }
    before = match.found;
    if (!joined || kept == 0) {
      keep(match);
    } else if (behavior == Matched::merged_with_next) {
      matches[kept - 1].begin = match.begin;
    } else {
      matches[kept - 1].end = match.end;
    }
  }
  matches.resize(kept);
  if (behavior == Matched::merged_with_next) std::ranges::reverse(matches);
}

/// Cuts each piece at what find(text, matches) finds in it.
template <class Find>
void cut(Pieces& pieces, Matched behavior, Find find) {
  pieces.next.clear();
  for (const Piece& piece : pieces.list) {
    find(pieces.view(piece), pieces.matches);
    join(pieces.matches, behavior);
    for (const Match& match : pieces.matches) {
      if (match.begin == match.end) continue;
      pieces.next.push_back({piece.begin + match.begin, piece.begin + match.end, piece.first && match.begin == 0});
    }
  }
  std::swap(pieces.list, pieces.next);
}

/// Each character for which is(code) holds is a match.
template <class Is>
void find_characters(std::string_view text, std::vector<Match>& out, Is is) {
  out.clear();
  std::size_t unmatched = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, bytes] = character_at(text, i);
    const std::size_t end = i + bytes;
    if (is(code)) {
      if (unmatched < i) out.push_back({unmatched, i, false});
      out.push_back({i, end, true});
      unmatched = end;
    }
    i = end;
  }
  if (unmatched < text.size()) out.push_back({unmatched, text.size(), false});
}

template <class Is>
Cut cut_at(Matched behavior, Is is) {
  return [=](Pieces& pieces) {
    cut(pieces, behavior, [&](std::string_view text, std::vector<Match>& out) { find_characters(text, out, is); });
  };
}

Cut cut_at(Matched behavior, Pattern pattern, bool invert) {
  return [=, pattern = std::move(pattern)](Pieces& pieces) {
    cut(pieces, behavior, [&](std::string_view text, std::vector<Match>& out) {
      pattern.find_all(text, out);
      if (invert) std::ranges::for_each(out, [](Match& match) { match.found = !match.found; });
    });
  };
}

/// Writes each piece anew: change(text, first) returns what stands in its place.
template <class Change>
void rewrite(Pieces& pieces, Change change) {
  std::string all;
  all.reserve(pieces.text.size() + pieces.text.size() / 4 + 16);
  for (Piece& piece : pieces.list) {
    const std::size_t begin = all.size();
    change(pieces.view(piece), piece.first, all);
    piece.begin = begin;
    piece.end = all.size();
  }
  pieces.text = std::move(all);
}

void read_byte_level(const JsonNode& node, std::vector<Cut>& cuts) {
  if (node.flag("add_prefix_space", true)) {
    cuts.emplace_back([](Pieces& pieces) {
      rewrite(pieces, [](std::string_view text, bool, std::string& out) {
        if (!text.starts_with(' ')) out += ' ';
        out += text;
      });
    });
  }
  if (node.flag("use_regex", true)) cuts.push_back(cut_at(Matched::isolated, gpt2_pattern(), false));
}

void read_metaspace(const JsonNode& node, std::vector<Cut>& cuts) {
  enum class Prepend { first, never, always };
  const std::string mark = node.at("replacement").text();
  if (mark.empty() || character_at(mark, 0).bytes != mark.size()) {
    fail<FileError>("{}.replacement is not one character", node.place());
  }
  const std::string scheme = node.text("prepend_scheme", "always");
  if (scheme != "first" && scheme != "never" && scheme != "always") {
    fail<FileError>("{}.prepend_scheme is none of first, never, always", node.place());
  }
  const Prepend prepend = !node.flag("add_prefix_space", true) || scheme == "never" ? Prepend::never
                          : scheme == "first"                                       ? Prepend::first
                                                                                    : Prepend::always;
  cuts.emplace_back([=](Pieces& pieces) {
    rewrite(pieces, [&](std::string_view text, bool first, std::string& out) {
      const bool marked = text.starts_with(' ') || text.starts_with(mark);
      if (!marked && (prepend == Prepend::always || (prepend == Prepend::first && first))) out += mark;
      for (const char c : text) {
        if (c == ' ') {
          out += mark;
        } else {
          out += c;
        }
      }
    });
  });
  if (!node.flag("split", true)) return;
  cuts.push_back(
      cut_at(Matched::merged_with_next, [code = character_at(mark, 0).code](char32_t c) { return c == code; }));
}

/// Runs of word characters, and runs of what is neither those nor white space.
void find_words(std::string_view text, std::vector<Match>& out) {
  enum class Kind { space, word, other };
  out.clear();
  Kind before = Kind::space;
  for (std::size_t i = 0; i < text.size();) {
    const auto [code, bytes] = character_at(text, i);
    const Kind kind = is_word(code) ? Kind::word : is_space(code) ? Kind::space : Kind::other;
    if (out.empty() || kind != before) {
      out.push_back({i, i + bytes, kind == Kind::space});
    } else {
      out.back().end = i + bytes;
    }
    before = kind;
    i += bytes;
  }
}

void read(const JsonNode& node, std::vector<Cut>& cuts) {
  const std::string type = node.at("type").text();
  if (type == "Sequence") {
    node.at("pretokenizers").each([&](const JsonNode& step) { read(step, cuts); });
  } else if (type == "BertPreTokenizer") {
    cuts.push_back(cut_at(Matched::removed, is_space));
    cuts.push_back(cut_at(Matched::isolated, is_punctuation));
  } else if (type == "ByteLevel") {
    read_byte_level(node, cuts);
    cuts.emplace_back([](Pieces& pieces) {
      rewrite(pieces, [](std::string_view text, bool, std::string& out) { out += bytes_as_characters(text); });
    });
  } else if (type == "CharDelimiterSplit") {
    const std::string text = node.at("delimiter").text();
    if (text.empty() || character_at(text, 0).bytes != text.size()) {
      fail<FileError>("{}.delimiter is not one character", node.place());
    }
    cuts.push_back(cut_at(Matched::removed, [code = character_at(text, 0).code](char32_t c) { return c == code; }));
  } else if (type == "Digits") {
    static const std::uint32_t numbers = categories("N");
    cuts.push_back(cut_at(node.flag("individual_digits", false) ? Matched::isolated : Matched::contiguous,
                          [](char32_t c) { return (category_bit(c) & numbers) != 0; }));
  } else if (type == "Metaspace") {
    read_metaspace(node, cuts);
  } else if (type == "Punctuation") {
    const auto behavior = node.find("behavior");
    cuts.push_back(cut_at(behavior ? read_behavior(*behavior) : Matched::isolated, is_punctuation));
  } else if (type == "Split") {
    cuts.push_back(
        cut_at(read_behavior(node.at("behavior")), read_pattern(node.at("pattern")), node.flag("invert", false)));
  } else if (type == "Whitespace") {
    cuts.emplace_back([](Pieces& pieces) { cut(pieces, Matched::removed, find_words); });
  } else if (type == "WhitespaceSplit") {
    cuts.push_back(cut_at(Matched::removed, is_space));
  } else {
    refuse_type(node, type,
                "BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, Metaspace, Punctuation, Sequence, Split, "
                "Whitespace, WhitespaceSplit");
  }
}

constexpr bool prints(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

/// Printable bytes of Latin 1 stand for themselves, the others for the characters from U+0100 on.
/// Source: github.com/openai/gpt-2, src/encoder.py.
constexpr std::array<char32_t, 256> character_of_byte = [] {
  std::array<char32_t, 256> table{};
  char32_t other = 256;
  for (int byte = 0; byte < 256; ++byte) {
    table[static_cast<std::size_t>(byte)] = prints(byte) ? static_cast<char32_t>(byte) : other++;
  }
  return table;
}();

constexpr std::array<int, 324> byte_of_character = [] {
  std::array<int, 324> table{};
  table.fill(-1);
  for (int byte = 0; byte < 256; ++byte) table[character_of_byte[static_cast<std::size_t>(byte)]] = byte;
  return table;
}();

}  // namespace

std::string bytes_as_characters(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) append(out, character_of_byte[static_cast<unsigned char>(c)]);
  return out;
}

bool characters_as_bytes(std::string_view characters, std::string& out) {
  const std::size_t before = out.size();
  for (std::size_t i = 0; i < characters.size();) {
    const auto [code, bytes] = character_at(characters, i);
    const int byte = code < byte_of_character.size() ? byte_of_character[code] : -1;
    if (byte < 0) {
      out.resize(before);
      return false;
    }
    out += static_cast<char>(byte);
    i += bytes;
  }
  return true;
}

const Pattern& gpt2_pattern() {
  static const Pattern pattern(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)");
  return pattern;
}

PreTokenizer read_pre_tokenizer(const JsonNode& node, bool raw) {
  PreTokenizer read_all;
  read(node, read_all.cuts);
  JsonNode last = node;
  while (last.text("type", "") == "Sequence" && last.at("pretokenizers").size() > 0) {
    const JsonNode steps = last.at("pretokenizers");
    last = steps.item(steps.size() - 1);
  }
  if (raw && last.text("type", "") == "ByteLevel") {
    read_all.cuts.pop_back();
    read_all.raw = true;
  }
  return read_all;
}

}  // namespace temper::data::subword
