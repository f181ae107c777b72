#pragma once

#include <filesystem>
#include <memory>

#include <temper/data/tokenizer.hpp>

namespace temper::data {

/// One number for each character (UTF-8) of a vocabulary: the characters of a text, in the order of their code points.
/// Copies share the vocabulary.
class CharTokenizer final : public Tokenizer {
 public:
  /// Throws: ValueError for an empty text, or one that is not UTF-8.
  explicit CharTokenizer(std::string_view text);
  /// Reads what was saved. Throws: FileError when the file is damaged.
  static CharTokenizer load(const std::filesystem::path& path);
  /// The same from memory; `name` is for messages.
  static CharTokenizer parse(std::string_view bytes, std::string_view name);

  std::vector<std::int64_t> encode(std::string_view text) const override;
  std::string decode(std::span<const std::int64_t> ids) const override;
  std::int64_t vocab_size() const override;
  std::string serialized() const override;

 private:
  struct Vocabulary;
  explicit CharTokenizer(std::vector<std::string> characters);

  std::shared_ptr<const Vocabulary> vocabulary_;
};

/// One number for each byte, 0 to 255. Takes any text, UTF-8 or not.
class ByteTokenizer final : public Tokenizer {
 public:
  std::vector<std::int64_t> encode(std::string_view text) const override;
  std::string decode(std::span<const std::int64_t> ids) const override;
  std::int64_t vocab_size() const override { return 256; }
  std::string serialized() const override;
};

}  // namespace temper::data
