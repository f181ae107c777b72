#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include <temper/data/token_file.hpp>

namespace temper {

struct TokenFileWriterOptions {
  /// Tokens must be smaller. Up to 65,536, each takes two bytes, else four.
  std::int64_t vocab_size = 65'536;
};

/// Writes a data::TokenFile piece by piece, so that the tokens need not fit into memory: a .npy array of u2 or u4,
/// which numpy.load reads. The file appears in commit(), whole or not at all. Throws, as all here: FileError that
/// begins with the path.
///
///     TokenFileWriter writer("train.npy", {.vocab_size = tokenizer.vocab_size()});
///     for (const std::string& line : data::lines(text)) writer.write(tokenizer.encode(line));
///     writer.commit();
class TokenFileWriter {
 public:
  /// Throws: ValueError for a vocabulary below 1 or above 2^32.
  explicit TokenFileWriter(const std::filesystem::path& path, const TokenFileWriterOptions& options = {});
  ~TokenFileWriter();
  TokenFileWriter(TokenFileWriter&&) noexcept;
  TokenFileWriter& operator=(TokenFileWriter&&) noexcept;

  /// Appends tokens, all or none. Throws: ValueError for one outside the vocabulary, or after commit().
  void write(std::span<const std::int64_t> tokens);
  /// Tokens so far.
  std::int64_t size() const;
  /// Completes the file. Throws: ValueError the second time.
  void commit();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace temper
