#include <temper/data/subword_tokenizer.hpp>

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/json_depth_internal.hpp"
#include "framework/data/subword/added_tokens_internal.hpp"
#include "framework/data/subword/files_internal.hpp"
#include "framework/data/subword/model_internal.hpp"
#include "framework/data/subword/steps_internal.hpp"
#include "framework/data/subword/post_processor_internal.hpp"
#include "framework/data/subword/unicode_internal.hpp"
#include "framework/data/utf8_internal.hpp"

namespace temper::data {

namespace {

using subword::Id, subword::no_id;
using temper::detail::JsonNode;
using temper::detail::printable;

// Reading takes some fifty times the file's bytes.
constexpr std::uint64_t largest_file = 64 << 20;

nlohmann::json read_json(std::string_view bytes) {
  if (bytes.size() > largest_file) fail<FileError>("{} bytes, expected at most {}", bytes.size(), largest_file);
  temper::detail::check_json_depth(bytes);
  auto json = nlohmann::json::parse(bytes, nullptr, false);
  if (json.is_discarded()) fail<FileError>("not JSON, expected a tokenizer.json");
  return json;
}

/// What encoding a text needs, kept for the next text.
struct Scratch {
  subword::PieceCache cache;
  subword::Workspace workspace;
  subword::Pieces pieces;
  std::vector<subword::AddedTokens::Part> parts, inner;
  std::vector<Id> ids;
};

}  // namespace

struct SubwordTokenizer::Parts {
  Parts(std::string_view text, const JsonNode& file)
      : bytes(text),
        vocabulary(subword::read_vocabulary(file.at("model"))),
        normalizer(file.find("normalizer") ? subword::read_normalizer(*file.find("normalizer"))
                                           : std::vector<subword::Normalize>()),
        added(file.find("added_tokens"), vocabulary, normalizer),
        pre_tokenizer(file.find("pre_tokenizer") ? subword::read_pre_tokenizer(*file.find("pre_tokenizer"),
                                                                               subword::takes_bytes(file.at("model")))
                                                 : subword::PreTokenizer()),
        model(subword::read_model(file.at("model"), vocabulary, pre_tokenizer.raw)),
        decoder(file.find("decoder") ? subword::read_decoder(*file.find("decoder")) : std::vector<subword::Decode>()),
        decodes(file.find("decoder").has_value()),
        size(std::max(vocabulary.size(), added.size())),
        post_processor(file.find("post_processor") ? subword::PostProcessor(*file.find("post_processor"), size)
                                                   : subword::PostProcessor()) {
    if (size == 0) fail<FileError>("{}.model.vocab is empty", file.place());
    if (const auto padding = file.find("padding")) pad = find(padding->text("pad_token", ""));
    if (pad < 0) pad = first_of({"[PAD]", "<pad>"});
    unk = model->unknown() != no_id ? std::int64_t{model->unknown()} : first_of({"[UNK]", "<unk>"});
    cls = first_of({"[CLS]", "<s>"});
    sep = first_of({"[SEP]", "</s>"});
    mask = first_of({"[MASK]", "<mask>"});
  }

  std::int64_t find(std::string_view token) const {
    Id id = added.find(token);
    if (id == no_id) id = vocabulary.find(token);
    return id == no_id ? -1 : std::int64_t{id};
  }
  std::int64_t first_of(std::initializer_list<const char*> tokens) const {
    for (const char* token : tokens) {
      if (const std::int64_t id = find(token); id >= 0) return id;
    }
    return -1;
  }
  std::string_view token(std::int64_t id) const {
    const bool within = id >= 0 && id < size;
    auto text = within ? added.text(static_cast<Id>(id)) : std::nullopt;
    if (within && !text) text = vocabulary.text(static_cast<Id>(id));
    if (!text) fail<ValueError>("tokenizer: id {} is not among the {} of the vocabulary", id, size);
    return *text;
  }

  void encode_piece(std::string_view piece, Scratch& scratch) const {
    if (scratch.cache.find(piece, scratch.ids)) return;
    const std::size_t before = scratch.ids.size();
    model->encode(piece, scratch.ids, scratch.workspace);
    scratch.cache.keep(piece, scratch.ids.data() + before, scratch.ids.size() - before);
  }

  void encode_text(std::string_view text, bool first, Scratch& scratch) const {
    subword::Pieces& pieces = scratch.pieces;
    pieces.text = text;
    pieces.list.assign(1, {0, text.size(), first});
    for (const subword::Cut& cut : pre_tokenizer.cuts) {
      cut(pieces);
      if (pieces.text.size() > subword::most_text(text.size())) subword::refuse_growth(text.size());
    }
    for (const subword::Piece& piece : pieces.list) encode_piece(pieces.view(piece), scratch);
  }

  std::vector<std::int64_t> encode(std::string_view text, Scratch& scratch) const {
    scratch.ids.clear();
    added.cut(text, false, scratch.parts);
    std::string normal;
    for (const auto& part : scratch.parts) {
      if (part.id != no_id) {
        scratch.ids.push_back(part.id);
        continue;
      }
      normal = text.substr(part.begin, part.end - part.begin);
      bool first = part.begin == 0;
      subword::run(normalizer, normal, first);
      added.cut(normal, true, scratch.inner);
      for (const auto& inner : scratch.inner) {
        if (inner.id != no_id) {
          scratch.ids.push_back(inner.id);
        } else {
          encode_text(std::string_view(normal).substr(inner.begin, inner.end - inner.begin), first && inner.begin == 0,
                      scratch);
        }
      }
    }
    return {scratch.ids.begin(), scratch.ids.end()};
  }

  std::vector<std::int64_t> encode(std::string_view text) const {
    std::unique_ptr<Scratch> scratch;
    {
      const std::scoped_lock lock(mutex);
      if (!idle.empty()) {
        scratch = std::move(idle.back());
        idle.pop_back();
      }
    }
    if (!scratch) scratch = std::make_unique<Scratch>();
    const bool valid = temper::detail::find_invalid_utf8(text) == std::string_view::npos;
    std::vector<std::int64_t> ids = encode(valid ? text : std::string_view(subword::repaired(text)), *scratch);
    const std::scoped_lock lock(mutex);
    idle.push_back(std::move(scratch));
    return ids;
  }

  std::string decode(std::span<const std::int64_t> ids, bool special) const {
    std::vector<std::string> tokens;
    tokens.reserve(ids.size());
    for (const std::int64_t id : ids) {
      const std::string_view text = token(id);
      if (special || !added.is_special(text)) tokens.emplace_back(text);
    }
    for (const subword::Decode& step : decoder) step(tokens);
    std::string text;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && !decodes) text += ' ';
      text += tokens[i];
    }
    return text;
  }

  std::string bytes;
  subword::Vocabulary vocabulary;
  std::vector<subword::Normalize> normalizer;
  subword::AddedTokens added;
  subword::PreTokenizer pre_tokenizer;
  std::unique_ptr<const subword::Model> model;
  std::vector<subword::Decode> decoder;
  bool decodes;
  std::int64_t size;
  subword::PostProcessor post_processor;
  std::int64_t pad = -1, unk = -1, cls = -1, sep = -1, mask = -1;

  // One for each thread that is encoding; the others wait here.
  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Scratch>> idle;
};

SubwordTokenizer SubwordTokenizer::parse(std::string_view bytes, std::string_view name) {
  try {
    const nlohmann::json json = read_json(bytes);
    return SubwordTokenizer(std::make_shared<const Parts>(bytes, JsonNode(json, "file")));
  } catch (const FileError& error) {
    fail<FileError>("{}: {}", printable(name), error.what());
  }
}

SubwordTokenizer SubwordTokenizer::load(const std::filesystem::path& path) {
  return parse(temper::detail::read_text(path, largest_file), path.native());
}

SubwordTokenizer SubwordTokenizer::parse_vocabulary(std::string_view bytes, std::string_view name,
                                                    const WordPieceOptions& options) {
  std::string json;
  try {
    json = subword::wordpiece_json(bytes, options.lowercase);
  } catch (const FileError& error) {
    fail<FileError>("{}: {}", printable(name), error.what());
  }
  return parse(json, name);
}

SubwordTokenizer SubwordTokenizer::load_vocabulary(const std::filesystem::path& path, const WordPieceOptions& options) {
  return parse_vocabulary(temper::detail::read_text(path, largest_file), path.native(), options);
}

SubwordTokenizer SubwordTokenizer::train(std::span<const std::string> texts, const BpeOptions& options) {
  std::set<std::string_view> seen;
  for (const std::string& token : options.special_tokens) {
    if (token.empty() || !seen.insert(token).second ||
        temper::detail::find_invalid_utf8(token) != std::string_view::npos) {
      fail<ValueError>("SubwordTokenizer: special token '{}' is empty, occurs twice, or is not UTF-8",
                       printable(token));
    }
  }
  if (texts.empty()) fail<ValueError>("SubwordTokenizer: no texts to train on");
  const auto least = 256 + std::ssize(options.special_tokens);
  if (options.vocab_size < least || options.vocab_size > (1 << 24)) {
    fail<ValueError>("SubwordTokenizer: vocab_size {}, expected {} (256 bytes and {} special tokens) to {}",
                     options.vocab_size, least, options.special_tokens.size(), 1 << 24);
  }
  if (options.min_frequency < 1) {
    fail<ValueError>("SubwordTokenizer: min_frequency {}, expected 1 or more", options.min_frequency);
  }
  return parse(
      subword::bpe_json(subword::train_bpe(texts, options.vocab_size, options.min_frequency, options.special_tokens)),
      "SubwordTokenizer");
}

Encoding SubwordTokenizer::operator()(std::string_view text) const {
  return parts_->post_processor.single(encode(text));
}

Encoding SubwordTokenizer::operator()(std::string_view text, std::string_view other) const {
  return parts_->post_processor.pair(encode(text), encode(other));
}

std::vector<std::int64_t> SubwordTokenizer::encode(std::string_view text) const { return parts_->encode(text); }

std::string SubwordTokenizer::decode(std::span<const std::int64_t> ids) const { return parts_->decode(ids, false); }
std::string SubwordTokenizer::decode_all(std::span<const std::int64_t> ids) const { return parts_->decode(ids, true); }

std::int64_t SubwordTokenizer::vocab_size() const { return parts_->size; }
std::int64_t SubwordTokenizer::pad() const { return parts_->pad; }
std::int64_t SubwordTokenizer::unk() const { return parts_->unk; }
std::int64_t SubwordTokenizer::cls() const { return parts_->cls; }
std::int64_t SubwordTokenizer::sep() const { return parts_->sep; }
std::int64_t SubwordTokenizer::mask() const { return parts_->mask; }
std::string SubwordTokenizer::serialized() const { return parts_->bytes; }
std::int64_t SubwordTokenizer::id(std::string_view token) const { return parts_->find(token); }
std::string SubwordTokenizer::token(std::int64_t id) const { return std::string(parts_->token(id)); }

}  // namespace temper::data
