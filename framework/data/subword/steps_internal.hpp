#pragma once

// The road of a text through a tokenizer.json: normalizers change it, pre-tokenizers cut it into pieces, the model
// turns each piece into tokens, decoders turn tokens back into text.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/data/json_node_internal.hpp"
#include "framework/data/subword/pattern_internal.hpp"

namespace temper::data::subword {

using temper::detail::JsonNode;

/// "type \"Foo\" is not supported; expected one of ..."
[[noreturn]] void refuse_type(const JsonNode& node, std::string_view type, std::string_view supported);

/// Changes a text. Sets `first` to false when what the text began with is gone: Metaspace may ask for it.
using Normalize = std::function<void(std::string& text, bool& first)>;
/// Runs the steps. Throws: ValueError when they make far more text than there was, as a malicious file's could without
/// end.
void run(const std::vector<Normalize>& steps, std::string& text, bool& first);
/// The most bytes that may become of so many.
constexpr std::size_t most_text(std::size_t bytes) { return 4096 + 64 * bytes; }
[[noreturn]] void refuse_growth(std::size_t bytes);
/// Reads the file's normalizer. Throws: FileError for parts that it does not have, with their names; as all here.
std::vector<Normalize> read_normalizer(const JsonNode& node);
/// The normalizer that SentencePiece models carry along. `map` is what the file has in base64.
Normalize precompiled(const JsonNode& map);

/// A piece of a text that is being cut.
struct Piece {
  std::size_t begin, end;
  bool first;  // begins where the user's text begins
};

/// A text being cut into pieces. Pre-tokenizers that change the text replace it.
struct Pieces {
  std::string text;
  std::vector<Piece> list;
  // For those that cut: kept from one text to the next.
  std::vector<Piece> next;
  std::vector<Match> matches;

  std::string_view view(const Piece& piece) const {
    return std::string_view(text).substr(piece.begin, piece.end - piece.begin);
  }
};

using Cut = std::function<void(Pieces& pieces)>;
struct PreTokenizer {
  std::vector<Cut> cuts;
  bool raw = false;  // the last step, which writes bytes as characters, was left out as asked for
};
/// `raw`: whether the caller takes bytes for what ByteLevel writes as characters, when that comes last.
PreTokenizer read_pre_tokenizer(const JsonNode& node, bool raw);
/// GPT-2's way to cut.
const Pattern& gpt2_pattern();

/// Tokens as text, changed one after the other.
using Decode = std::function<void(std::vector<std::string>& tokens)>;
std::vector<Decode> read_decoder(const JsonNode& node);

// Bytes as GPT-2 writes them: each as one printable character.
std::string bytes_as_characters(std::string_view bytes);
/// Appends the bytes to `out`; false, and nothing appended, for a text that has other characters.
bool characters_as_bytes(std::string_view characters, std::string& out);

/// What a Replace or Split matches: {"String": ..} or {"Regex": ..}.
Pattern read_pattern(const JsonNode& node);

}  // namespace temper::data::subword
