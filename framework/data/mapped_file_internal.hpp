#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "framework/data/file_internal.hpp"

namespace temper::detail {

/// A regular file mapped into memory, read-only: for files that may be larger than memory. Reading past the end of a
/// file that was truncated meanwhile kills the process, so call check() first; a disk error on a page still does.
/// Throws, as all here: FileError that begins with the path.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  /// Throws when the file was truncated. To be called right before its bytes are used.
  void check() const;
  /// For messages.
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  FileSource file_;
  std::span<const std::byte> bytes_;
};

}  // namespace temper::detail
