#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <temper/data/dataset.hpp>
#include <temper/data/sentencepiece.hpp>

namespace temper::data {

/// Questions about paragraphs of text, answered by a part of the paragraph.
struct Squad {
  struct Answer {
    std::string text;
    std::size_t begin;  ///< its first byte in the context (the file counts characters)
  };
  struct Question {
    std::string id, question;
    std::size_t context;          ///< which of `contexts`
    std::vector<Answer> answers;  ///< several people's; none when the context does not answer it
  };
  std::vector<std::string> contexts;
  std::vector<Question> questions;
};

/// Reads JSON in the format of SQuAD, version 1 or 2.
/// Throws: FileError that names the place, when the file is damaged, a part is missing or of another kind, or an answer
/// does not stand in the context where it says.
/// Source: Rajpurkar, Jia, Liang, "Know what you don't know: unanswerable questions for SQuAD" (2018).
Squad read_squad(const std::filesystem::path& path);
/// The same from memory; `name` is for messages.
Squad parse_squad(std::string_view text, std::string_view name);

struct SquadOptions {
  std::int64_t max_length = 384;   ///< tokens of an example, the special ones included
  std::int64_t stride = 128;       ///< tokens of context that an example adds to the one before it of the same question
  std::int64_t max_question = 64;  ///< tokens; the ends of longer questions are cut off
  std::int64_t pad_multiple = 8;   ///< batches are padded to a multiple of it
};

/// Questions as tokens: example i is {ids i64 [length], types i64 [length], start i64 [], end i64 []}, where the ids
/// are [CLS] question [SEP] context [SEP], types are 1 for the context and its [SEP] and else 0, start and end are the
/// first and the last token of the first answer, or 0 where the example does not hold it. A context too long for one
/// example gives several. A batch is filled up with [PAD]. Copies share the tokens.
class SquadDataset {
 public:
  /// Throws: ValueError for a tokenizer without [PAD], [CLS] or [SEP], or lengths that leave no room for the context.
  SquadDataset(Squad squad, const SentencePiece& tokenizer, const SquadOptions& options = {});

  std::int64_t size() const;
  /// Throws: ValueError for an example that is not there.
  std::array<Tensor, 4> get(std::int64_t i) const;
  std::array<Tensor, 4> batch(std::span<const std::int64_t> indices) const;

  const Squad& squad() const;
  /// Which question example i is of.
  std::size_t question(std::int64_t i) const;
  /// What stands from token `start` to token `end` of example i; empty when that is not a part of its context.
  std::string_view answer(std::int64_t i, std::int64_t start, std::int64_t end) const;

 private:
  struct Storage;
  std::shared_ptr<const Storage> storage_;
};

}  // namespace temper::data
