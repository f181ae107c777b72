#include <algorithm>
#include <array>
#include <span>

#include "framework/core/format_internal.hpp"
#include "framework/data/subword/steps_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"
#include "framework/data/utf8_internal.hpp"

namespace temper::data::subword {

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty() || text.find(from) == std::string::npos) return;
  std::string out;
  std::size_t begin = 0;
  for (std::size_t place = text.find(from); place != std::string::npos; place = text.find(from, begin)) {
    out.append(text, begin, place - begin).append(to);
    begin = place + from.size();
  }
  text = out.append(text, begin);
}

/// Takes back spaces that English text does not have.
void clean_up(std::string& text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> changes = {{{" .", "."},
                                                                                             {" ?", "?"},
                                                                                             {" !", "!"},
                                                                                             {" ,", ","},
                                                                                             {" ' ", "'"},
                                                                                             {" n't", "n't"},
                                                                                             {" 'm", "'m"},
                                                                                             {" do not", " don't"},
                                                                                             {" 's", "'s"},
                                                                                             {" 've", "'ve"},
                                                                                             {" 're", "'re"}}};
  for (const auto& [from, to] : changes) replace_all(text, from, to);
}

std::string joined(const std::vector<std::string>& tokens) {
  std::string all;
  for (const std::string& token : tokens) all += token;
  return all;
}

void decode_bytes(std::vector<std::string>& tokens) {
  std::string bytes;
  for (const std::string& token : tokens) {
    if (!characters_as_bytes(token, bytes)) bytes += token;
  }
  tokens = {repaired(bytes)};
}

/// The byte that "<0x0A>" stands for, or -1.
int fallback_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>')) return -1;
  int byte = 0;
  for (const char c : token.substr(3, 2)) {
    const std::size_t digit =
        std::string_view("0123456789abcdef").find(c >= 'A' && c <= 'F' ? static_cast<char>(c | 0x20) : c);
    if (digit == std::string_view::npos) return -1;
    byte = byte * 16 + static_cast<int>(digit);
  }
  return byte;
}

void decode_fallback(std::vector<std::string>& tokens) {
  std::vector<std::string> out;
  std::string bytes;
  const auto flush = [&] {
    if (temper::detail::find_invalid_utf8(bytes) == std::string_view::npos) {
      if (!bytes.empty()) out.push_back(bytes);
    } else {
      out.insert(out.end(), bytes.size(), "\xef\xbf\xbd");
    }
    bytes.clear();
  };
  for (std::string& token : tokens) {
    if (const int byte = fallback_byte(token); byte >= 0) {
      bytes += static_cast<char>(byte);
      continue;
    }
    flush();
    out.push_back(std::move(token));
  }
  flush();
  tokens = std::move(out);
}

Decode read_wordpiece(const JsonNode& node) {
  return [prefix = node.text("prefix", "##"), cleanup = node.flag("cleanup", true)](std::vector<std::string>& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      std::string& token = tokens[i];
      if (i > 0 && token.starts_with(prefix)) {
        token.erase(0, prefix.size());
      } else if (i > 0) {
        token.insert(token.begin(), ' ');
      }
      if (cleanup) clean_up(token);
    }
  };
}

Decode read_metaspace(const JsonNode& node) {
  const std::string mark = node.at("replacement").text();
  if (mark.empty()) fail<FileError>("{}.replacement is empty", node.place());
  const bool prepends = node.flag("add_prefix_space", true) && node.text("prepend_scheme", "always") != "never";
  return [=](std::vector<std::string>& tokens) {
    for (std::size_t i = 0; i < tokens.size(); ++i) replace_all(tokens[i], mark, i == 0 && prepends ? "" : " ");
  };
}

Decode read_strip_step(const JsonNode& node) {
  return [content = node.at("content").text(), start = node.at("start").number(),
          stop = node.at("stop").number()](std::vector<std::string>& tokens) {
    for (std::string& token : tokens) {
      if (content.empty()) return;
      for (std::uint64_t i = 0; i < start && token.starts_with(content); ++i) token.erase(0, content.size());
      for (std::uint64_t i = 0; i < stop && token.ends_with(content); ++i) token.resize(token.size() - content.size());
    }
  };
}

void read(const JsonNode& node, std::vector<Decode>& steps) {
  const std::string type = node.at("type").text();
  if (type == "Sequence") {
    node.at("decoders").each([&](const JsonNode& step) { read(step, steps); });
  } else if (type == "ByteLevel") {
    steps.emplace_back(decode_bytes);
  } else if (type == "ByteFallback") {
    steps.emplace_back(decode_fallback);
  } else if (type == "BPEDecoder") {
    steps.emplace_back([suffix = node.text("suffix", "</w>")](std::vector<std::string>& tokens) {
      for (std::size_t i = 0; i < tokens.size(); ++i) replace_all(tokens[i], suffix, i + 1 == tokens.size() ? "" : " ");
    });
  } else if (type == "Fuse") {
    steps.emplace_back([](std::vector<std::string>& tokens) { tokens = {joined(tokens)}; });
  } else if (type == "Metaspace") {
    steps.push_back(read_metaspace(node));
  } else if (type == "Replace") {
    steps.emplace_back([pattern = read_pattern(node.at("pattern")),
                        content = node.at("content").text()](std::vector<std::string>& tokens) {
      std::vector<Match> matches;
      for (std::string& token : tokens) {
        std::string out;
        pattern.find_all(token, matches);
        for (const auto& [begin, end, found] : matches) {
          if (out.size() > most_text(token.size())) refuse_growth(token.size());
          out += found ? content : token.substr(begin, end - begin);
        }
        token = std::move(out);
      }
    });
  } else if (type == "Strip") {
    steps.push_back(read_strip_step(node));
  } else if (type == "WordPiece") {
    steps.push_back(read_wordpiece(node));
  } else {
    refuse_type(node, type,
                "BPEDecoder, ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip, WordPiece");
  }
}

}  // namespace

std::vector<Decode> read_decoder(const JsonNode& node) {
  std::vector<Decode> steps;
  read(node, steps);
  return steps;
}

}  // namespace temper::data::subword
