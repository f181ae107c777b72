#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace temper::data {

/// Turns text into numbers below vocab_size() and back. Several threads may use a const one at once.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Throws: ValueError for text that it cannot express.
  virtual std::vector<std::int64_t> encode(std::string_view text) const = 0;
  /// Throws: ValueError for an id that is not in the vocabulary.
  virtual std::string decode(std::span<const std::int64_t> ids) const = 0;
  virtual std::int64_t vocab_size() const = 0;

  /// The numbers of the special tokens [PAD], [UNK], [CLS], [SEP] and [MASK]; -1 for one that does not exist.
  virtual std::int64_t pad() const { return -1; }
  virtual std::int64_t unk() const { return -1; }
  virtual std::int64_t cls() const { return -1; }
  virtual std::int64_t sep() const { return -1; }
  virtual std::int64_t mask() const { return -1; }

  /// All of it as the bytes of a file (see save in <temper/io/tokenizer.hpp>).
  virtual std::string serialized() const = 0;
};

}  // namespace temper::data
