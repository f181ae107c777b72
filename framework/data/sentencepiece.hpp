#pragma once

#include <filesystem>
#include <memory>

#include <temper/data/tokenizer.hpp>

namespace temper::data {

struct SentencePieceOptions {
  /// How the pieces are chosen: by a unigram language model, or by merging frequent pairs.
  enum class Model { unigram, bpe };

  std::int64_t vocab_size = 8000;
  Model model = Model::unigram;
  bool lowercase = false;           ///< folds case, as an uncased BERT does
  double character_coverage = 1.0;  ///< share of the text's characters that get a piece of their own
};

/// Splits text into pieces of words, by SentencePiece. Text is normalized (NFKC, white space becomes single spaces):
/// decode(encode(text)) is the normalized text. Copies share the model.
/// Source: Kudo, Richardson, "SentencePiece: a simple and language independent subword tokenizer and detokenizer for
/// neural text processing" (2018).
class SentencePiece final : public Tokenizer {
 public:
  /// Chooses the pieces by these texts. The first five are [PAD], [UNK], [CLS], [SEP] and [MASK], 0 to 4. The same
  /// texts in the same order give the same pieces. Throws: ValueError when the vocabulary is larger or smaller than the
  /// texts allow.
  static SentencePiece train(std::span<const std::string> texts, const SentencePieceOptions& options = {});
  /// Reads a model that was saved, or that the SentencePiece programs have written. Throws: FileError when it is
  /// damaged.
  static SentencePiece load(const std::filesystem::path& path);
  /// The same from memory; `name` is for messages.
  static SentencePiece parse(std::string_view bytes, std::string_view name);

  std::vector<std::int64_t> encode(std::string_view text) const override;
  std::string decode(std::span<const std::int64_t> ids) const override;
  std::int64_t vocab_size() const override;
  std::int64_t pad() const override;
  std::int64_t unk() const override;
  std::int64_t cls() const override;
  std::int64_t sep() const override;
  std::int64_t mask() const override;
  std::string serialized() const override;

  /// The text of a piece, where a space is shown as U+2581. Throws: ValueError for an id that is not in the vocabulary.
  std::string piece(std::int64_t id) const;

  /// A piece and the bytes of the text it stands for.
  struct Token {
    std::int64_t id;
    std::size_t begin, end;
  };
  std::vector<Token> tokens(std::string_view text) const;

 private:
  struct Model;
  explicit SentencePiece(std::shared_ptr<const Model> model) : model_(std::move(model)) {}

  std::shared_ptr<const Model> model_;
};

}  // namespace temper::data
