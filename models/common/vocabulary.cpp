#include "models/common/vocabulary.hpp"

#include <filesystem>

namespace temper::models {

data::SentencePiece vocabulary(const Run& run, std::span<const std::string> texts,
                               const data::SentencePieceOptions& options) {
  if (run.options().dry_run) return data::SentencePiece::train(texts, options);
  const std::filesystem::path kept = std::filesystem::path(run.folder()) / "tokenizer";
  if (run.options().resume && exists(kept)) return data::SentencePiece::load(kept);
  auto pieces = data::SentencePiece::train(texts, options);
  save(kept, pieces);
  return pieces;
}

}  // namespace temper::models
