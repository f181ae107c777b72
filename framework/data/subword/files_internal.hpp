#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace temper::data::subword {

/// What a tokenizer.json of byte-level BPE is made of.
struct BpeFile {
  std::vector<std::string> special_tokens;                      // numbers 0, 1, 2 ...
  std::vector<std::string> tokens;                              // all, by number, bytes written as characters
  std::vector<std::pair<std::uint32_t, std::uint32_t>> merges;  // pairs of numbers, in the order of training
};
std::string bpe_json(const BpeFile& file);

/// The tokenizer.json of a BERT whose vocabulary is a vocab.txt. Throws: FileError.
std::string wordpiece_json(std::string_view vocabulary, bool lowercase);

/// Finds the merges. `vocab_size` leaves room for the special tokens and 256 bytes.
BpeFile train_bpe(std::span<const std::string> texts, std::int64_t vocab_size, std::int64_t min_frequency,
                  const std::vector<std::string>& special_tokens);

}  // namespace temper::data::subword
