#include "framework/data/subword/files_internal.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"
#include "framework/data/utf8_internal.hpp"

namespace temper::data::subword {

namespace {

std::string json_text(std::string_view text) { return nlohmann::json(text).dump(); }

/// The list of special tokens.
std::string added(std::span<const std::pair<std::string_view, std::size_t>> tokens) {
  std::string list;
  for (const auto& [text, id] : tokens) {
    list += fmt::format(R"({}
    {{"id": {}, "content": {}, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}})",
                        list.empty() ? "" : ",", id, json_text(text));
  }
  return "[" + list + "\n  ]";
}

/// All of a file, of parts written as JSON.
std::string file(std::string_view added_tokens, std::string_view normalizer, std::string_view pre_tokenizer,
                 std::string_view post_processor, std::string_view decoder, std::string_view model) {
  return fmt::format(R"({{
  "version": "1.0",
  "truncation": null,
  "padding": null,
  "added_tokens": {},
  "normalizer": {},
  "pre_tokenizer": {},
  "post_processor": {},
  "decoder": {},
  "model": {}
}}
)",
                     added_tokens, normalizer, pre_tokenizer, post_processor, decoder, model);
}

}  // namespace

std::string bpe_json(const BpeFile& bpe) {
  std::vector<std::pair<std::string_view, std::size_t>> special;
  for (const std::string& token : bpe.special_tokens) special.emplace_back(token, special.size());
  std::string vocabulary, merges;
  for (std::size_t id = 0; id < bpe.tokens.size(); ++id) {
    vocabulary += fmt::format("{}\n      {}: {}", id == 0 ? "" : ",", json_text(bpe.tokens[id]), id);
  }
  for (const auto& [left, right] : bpe.merges) {
    merges += fmt::format("{}\n      [{}, {}]", merges.empty() ? "" : ",", json_text(bpe.tokens[left]),
                          json_text(bpe.tokens[right]));
  }
  constexpr std::string_view bytes =
      R"({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true})";
  const std::string model = fmt::format(R"({{
    "type": "BPE",
    "dropout": null,
    "unk_token": null,
    "continuing_subword_prefix": null,
    "end_of_word_suffix": null,
    "fuse_unk": false,
    "byte_fallback": false,
    "ignore_merges": false,
    "vocab": {{{}
    }},
    "merges": [{}
    ]
  }})",
                                        vocabulary, merges);
  return file(added(special), "null", bytes, bytes, bytes, model);
}

std::string wordpiece_json(std::string_view lines, bool lowercase) {
  if (const std::size_t bad = temper::detail::find_invalid_utf8(lines); bad != std::string_view::npos) {
    fail<FileError>("byte {} is not UTF-8", bad);
  }
  std::unordered_map<std::string_view, std::size_t> numbers;  // the last counts when a line occurs twice
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < lines.size(); ++count) {
    const std::size_t newline = std::min(lines.find('\n', begin), lines.size());
    std::size_t end = newline;
    while (end > begin) {
      const std::size_t last = begin_of_character(lines, end);
      if (!is_space(character_at(lines, last).code)) break;
      end = last;
    }
    numbers[lines.substr(begin, end - begin)] = count;
    begin = newline + 1;
  }
  std::vector<std::pair<std::string_view, std::size_t>> special;
  for (const std::string_view token : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
    const auto found = numbers.find(token);
    if (found != numbers.end()) {
      special.emplace_back(token, found->second);
    } else if (token != "[PAD]" && token != "[MASK]") {
      fail<FileError>("no line {} among {} lines, expected a vocab.txt", token, count);
    }
  }
  std::string vocabulary;
  for (const auto& [token, id] : numbers) {
    vocabulary += fmt::format("{}\n      {}: {}", vocabulary.empty() ? "" : ",", json_text(token), id);
  }
  const std::string model = fmt::format(R"({{
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
    "vocab": {{{}
    }}
  }})",
                                        vocabulary);
  return file(added(special),
              fmt::format(R"({{"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, )"
                          R"("strip_accents": null, "lowercase": {}}})",
                          lowercase),
              R"({"type": "BertPreTokenizer"})",
              fmt::format(R"({{"type": "BertProcessing", "sep": ["[SEP]", {}], "cls": ["[CLS]", {}]}})",
                          numbers.at("[SEP]"), numbers.at("[CLS]")),
              R"({"type": "WordPiece", "prefix": "##", "cleanup": true})", model);
}

}  // namespace temper::data::subword
