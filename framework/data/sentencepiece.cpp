#include <temper/data/sentencepiece.hpp>

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"

namespace temper::data {

namespace {

constexpr std::uint64_t largest_file = 256 << 20;

/// A type of the library's own, Abseil's from 0.2.2 on.
using Status = decltype(std::declval<const sentencepiece::SentenceIterator&>().status());

/// The texts, one after the other, for the trainer.
class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(std::span<const std::string> texts) : texts_(texts) {}
  bool done() const override { return next_ == texts_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return texts_[next_]; }
  Status status() const override { return {}; }

 private:
  std::span<const std::string> texts_;
  std::size_t next_ = 0;
};

/// What the library says, without the place in its source and the condition that failed.
template <class S>
std::string reason(const S& status) {
  std::string text;
  if constexpr (requires { status.error_message(); }) {
    text = status.error_message();
  } else {
    text = status.message();
  }
  const std::size_t condition = text.rfind("] ");
  const std::string rest = condition == std::string::npos ? text : text.substr(condition + 2);
  return rest.empty() ? "the bytes cannot be read as one" : rest;
}

}  // namespace

struct SentencePiece::Model {
  sentencepiece::SentencePieceProcessor processor;
  std::string bytes;
  std::int64_t cls, sep, mask;

  /// The number of one of these pieces, -1 when there is none.
  std::int64_t special(std::initializer_list<const char*> pieces) const {
    for (const char* piece : pieces) {
      if (const int id = processor.PieceToId(piece); id != processor.unk_id()) return id;
    }
    return -1;
  }
  int checked(std::int64_t id) const {
    if (id < 0 || id >= processor.GetPieceSize()) {
      fail<ValueError>("SentencePiece: id {} of {}", id, processor.GetPieceSize());
    }
    return static_cast<int>(id);
  }
};

SentencePiece SentencePiece::train(std::span<const std::string> texts, const SentencePieceOptions& options) {
  if (texts.empty()) fail<ValueError>("SentencePiece: no texts to train on");
  if (options.vocab_size < 6) fail<ValueError>("SentencePiece: vocab_size {}, expected 6 or more", options.vocab_size);
  if (!(options.character_coverage > 0.0 && options.character_coverage <= 1.0)) {
    fail<ValueError>("SentencePiece: character_coverage {}, expected above 0 and at most 1",
                     options.character_coverage);
  }
  const std::size_t longest = std::ranges::max(texts, {}, &std::string::size).size();
  const std::unordered_map<std::string, std::string> arguments = {
      {"model_type", options.model == SentencePieceOptions::Model::bpe ? "bpe" : "unigram"},
      {"vocab_size", fmt::format("{}", options.vocab_size)},
      {"character_coverage", fmt::format("{}", options.character_coverage)},
      {"normalization_rule_name", options.lowercase ? "nmt_nfkc_cf" : "nmt_nfkc"},
      {"pad_id", "0"},
      {"unk_id", "1"},
      {"bos_id", "2"},
      {"eos_id", "3"},
      {"pad_piece", "[PAD]"},
      {"unk_piece", "[UNK]"},
      {"bos_piece", "[CLS]"},
      {"eos_piece", "[SEP]"},
      {"control_symbols", "[MASK]"},
      {"max_sentence_length",
       fmt::format("{}", std::max<std::size_t>(longest + 1, 10))},  // longer ones would be left out
      {"num_threads", "4"},                                         // of any machine: sums depend on it
      {"minloglevel", "3"},                                         // it prints
  };
  Sentences sentences(texts);
  std::string bytes;
  const auto status = sentencepiece::SentencePieceTrainer::Train(arguments, &sentences, &bytes);
  if (!status.ok()) fail<ValueError>("SentencePiece: {}", reason(status));
  return parse(bytes, "SentencePiece");
}

SentencePiece SentencePiece::parse(std::string_view bytes, std::string_view name) {
  auto model = std::make_shared<Model>();
  const auto not_a_model = [&](const std::string& why) {
    fail<FileError>("{}: not a SentencePiece model: {}", temper::detail::printable(name), why);
  };
  Status status;
  try {
    status = model->processor.LoadFromSerializedProto(bytes);
  } catch (const std::exception& error) {  // of the double array in which it looks up pieces
    not_a_model(fmt::format("its pieces cannot be looked up ({})", error.what()));
  }
  if (!status.ok()) not_a_model(reason(status));
  model->bytes = bytes;
  model->cls = model->special({"[CLS]", "<s>"});
  model->sep = model->special({"[SEP]", "</s>"});
  model->mask = model->special({"[MASK]", "<mask>"});
  return SentencePiece(std::move(model));
}

SentencePiece SentencePiece::load(const std::filesystem::path& path) {
  return parse(temper::detail::read_unpacked(path, largest_file), path.native());
}

std::vector<std::int64_t> SentencePiece::encode(std::string_view text) const {
  const std::vector<int> ids = model_->processor.EncodeAsIds(text);
  return {ids.begin(), ids.end()};
}

std::vector<SentencePiece::Token> SentencePiece::tokens(std::string_view text) const {
  std::vector<Token> tokens;
  const auto split = model_->processor.EncodeAsImmutableProto(text);
  for (const auto& piece : split.pieces()) {
    tokens.push_back({static_cast<std::int64_t>(piece.id()), piece.begin(), piece.end()});
  }
  return tokens;
}

std::string SentencePiece::decode(std::span<const std::int64_t> ids) const {
  std::vector<int> checked;
  checked.reserve(ids.size());
  for (const std::int64_t id : ids) checked.push_back(model_->checked(id));
  return model_->processor.DecodeIds(checked);
}

std::int64_t SentencePiece::vocab_size() const { return model_->processor.GetPieceSize(); }
std::int64_t SentencePiece::pad() const { return model_->processor.pad_id(); }
std::int64_t SentencePiece::unk() const { return model_->processor.unk_id(); }
std::int64_t SentencePiece::cls() const { return model_->cls; }
std::int64_t SentencePiece::sep() const { return model_->sep; }
std::int64_t SentencePiece::mask() const { return model_->mask; }
std::string SentencePiece::serialized() const { return model_->bytes; }
std::string SentencePiece::piece(std::int64_t id) const { return model_->processor.IdToPiece(model_->checked(id)); }

}  // namespace temper::data
