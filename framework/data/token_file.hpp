#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace temper::data {

struct TokenFileOptions {
  /// Bytes per token, 2 or 4, of a file without header, such as nanoGPT's train.bin; 0: a .npy file.
  int headerless = 0;
};

/// Tokens in a memory-mapped file, which may be larger than memory. The file is a one-dimensional .npy array of
/// little-endian integers, as TokenFileWriter and numpy.save(path, ids.astype("uint16")) write it. TextDataset and
/// TextEvaluation accept it in place of tokens in memory. Copies share the mapping.
class TokenFile {
 public:
  /// Throws: FileError that begins with the path, for a file that does not match its header, or is no one-dimensional
  /// array of integers; ValueError for options out of range.
  explicit TokenFile(const std::filesystem::path& path, const TokenFileOptions& options = {});

  /// Tokens.
  std::int64_t size() const;
  /// Copies the tokens from `begin` on. Throws: ValueError for a range outside the file; FileError for a negative
  /// token, and when the file was truncated meanwhile.
  void copy(std::int64_t begin, std::span<std::int64_t> out) const;

 private:
  struct Storage;
  std::shared_ptr<const Storage> storage_;
};

}  // namespace temper::data
