#include <temper/run/vocabulary.hpp>

namespace temper {

data::SentencePiece vocabulary(Run& run, std::span<const std::string> texts,
                               const data::SentencePieceOptions& options) {
  if (const std::string file = run.kept("tokenizer"); !file.empty()) return data::SentencePiece::load(file);
  auto pieces = data::SentencePiece::train(texts, options);
  run.keep("tokenizer", [pieces](const std::string& file) { save(file, pieces); });
  return pieces;
}

}  // namespace temper
