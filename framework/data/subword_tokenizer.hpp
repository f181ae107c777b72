#pragma once

#include <filesystem>
#include <memory>

#include <temper/data/tokenizer.hpp>

namespace temper::data {

/// A text as a model reads it, with the special tokens.
struct Encoding {
  std::vector<std::int64_t> ids;    ///< of the tokens, in order
  std::vector<std::int64_t> types;  ///< of each token the text it belongs to, 0 or 1: BERT's segments
};

/// How a `vocab.txt` is used, of which it says nothing itself.
struct WordPieceOptions {
  bool lowercase = true;  ///< folds case and takes accents off, as an uncased BERT does
};

/// How byte-level BPE is trained.
struct BpeOptions {
  std::int64_t vocab_size = 32'000;  ///< tokens in all: the special ones, 256 bytes, and pairs that were joined
  std::int64_t min_frequency = 2;    ///< pairs seen less often are not joined
  std::vector<std::string> special_tokens = {"<|endoftext|>"};  ///< 0, 1, 2 ... in this order
};

/// A tokenizer of pieces of words as Hugging Face's files describe it: what `tokenizer.json` says is done to a text, by
/// the models BPE (GPT-2, Llama 3, Qwen, DeepSeek), WordPiece (BERT, MiniLM), Unigram (T5, XLM-RoBERTa) and WordLevel.
/// Tokens and texts are those of Hugging Face's `tokenizers`. What a file asks for and this class does not have is
/// refused by name. Text that is not UTF-8 is read as U+FFFD, as Python's errors="replace" does. The file's truncation
/// and padding are left to the data set. Copies share the vocabulary.
/// Source: Sennrich, Haddow, Birch, "Neural machine translation of rare words with subword units" (2016); Kudo,
/// "Subword regularization" (2018).
class SubwordTokenizer final : public Tokenizer {
 public:
  /// Reads a `tokenizer.json`. Throws: FileError when it is damaged, or asks for what is not supported.
  static SubwordTokenizer load(const std::filesystem::path& path);
  /// The same from memory; `name` is for messages.
  static SubwordTokenizer parse(std::string_view bytes, std::string_view name);
  /// Reads a `vocab.txt`, a token a line, as BERT's have it. Throws: FileError when it is damaged, or lacks [UNK],
  /// [CLS] or [SEP].
  static SubwordTokenizer load_vocabulary(const std::filesystem::path& path, const WordPieceOptions& options = {});
  /// The same from memory; `name` is for messages.
  static SubwordTokenizer parse_vocabulary(std::string_view bytes, std::string_view name,
                                           const WordPieceOptions& options = {});
  /// Chooses the tokens of byte-level BPE by these texts, which are cut as GPT-2 does. Any text can be encoded, and
  /// decoding gives it back. The same texts give the same tokens. Throws: ValueError for a vocab_size that is too small
  /// for the bytes and special tokens.
  static SubwordTokenizer train(std::span<const std::string> texts, const BpeOptions& options = {});

  /// The text as the model reads it: with the special tokens that the file puts around it.
  Encoding operator()(std::string_view text) const;
  /// Two texts, such as a question and its context.
  Encoding operator()(std::string_view text, std::string_view other) const;

  /// The tokens of the text alone, for data sets that put special tokens themselves. What is written like one is one.
  std::vector<std::int64_t> encode(std::string_view text) const override;
  /// The text of tokens, without the special ones.
  std::string decode(std::span<const std::int64_t> ids) const override;
  /// The text of tokens, with the special ones.
  std::string decode_all(std::span<const std::int64_t> ids) const;

  std::int64_t vocab_size() const override;
  std::int64_t pad() const override;
  std::int64_t unk() const override;
  std::int64_t cls() const override;
  std::int64_t sep() const override;
  std::int64_t mask() const override;
  /// The bytes of a `tokenizer.json`.
  std::string serialized() const override;

  /// The number of a token, written as the file has it; -1 when there is none.
  std::int64_t id(std::string_view token) const;
  /// A token as the file has it. Throws: ValueError for an id that is not in the vocabulary.
  std::string token(std::int64_t id) const;

 private:
  struct Parts;
  explicit SubwordTokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

  std::shared_ptr<const Parts> parts_;
};

}  // namespace temper::data
