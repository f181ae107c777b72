#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/errors.hpp"

namespace temper::detail {

/// Text from outside for a message: control characters escaped, long ones cut.
std::string printable(std::string_view text);

/// A file that could not be opened or read, whatever it holds: that may be over at the next try.
class ReadError : public FileError {
 public:
  using FileError::FileError;
};

/// What a system call returns, made again when a signal came in between.
template <class Call>
auto retried(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

/// What `read` returns; its errors say the path first.
template <class Read>
auto with_path(const std::filesystem::path& path, Read read) {
  try {
    return read();
  } catch (const ReadError& error) {
    throw ReadError(printable(path.native()) + ": " + error.what());
  } catch (const FileError& error) {
    throw FileError(printable(path.native()) + ": " + error.what());
  }
}

/// Something bytes are read from: a file, or a block of memory.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  /// Fills all of `out` with what begins at a place. Throws: FileError when there is less.
  virtual void read(std::uint64_t place, std::span<std::byte> out) = 0;
  /// Throws: FileError when there is more than `size` said.
  virtual void expect_end() = 0;
  /// Bytes in all.
  virtual std::uint64_t size() const = 0;
};

/// A regular file, read with pread(): a mapped file that shrinks or whose disk fails kills the process, a read one
/// throws. The constructor's FileError begins with the path, those of reading leave that to the caller.
class FileSource final : public ByteSource {
 public:
  explicit FileSource(const std::filesystem::path& path);
  ~FileSource() override;
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;

  void read(std::uint64_t place, std::span<std::byte> out) override;
  void expect_end() override;
  std::uint64_t size() const override { return size_; }
  int descriptor() const { return descriptor_; }

 private:
  std::size_t read_some(std::uint64_t place, std::span<std::byte> out);

  int descriptor_;
  std::uint64_t size_ = 0;
};

/// A file's bytes in memory, for parsers under test.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  void read(std::uint64_t place, std::span<std::byte> out) override;
  void expect_end() override {}
  std::uint64_t size() const override { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
};

/// Bytes of memory that this machine has: the most that a reader makes of a file, unless told otherwise.
std::uint64_t memory_of_machine();

/// A whole file. Throws: FileError when it has more than `max_bytes`, before any of it is read.
std::vector<std::byte> read_file(const std::filesystem::path& path, std::uint64_t max_bytes);

/// A whole file, unpacked if it is compressed by gzip. Throws: FileError when it has, or unpacks to, more than
/// `max_bytes`.
std::string read_unpacked(const std::filesystem::path& path, std::uint64_t max_bytes);

/// The same for text: without the mark that some programs put before UTF-8. Throws also for UTF-16.
std::string read_text(const std::filesystem::path& path, std::uint64_t max_bytes);

}  // namespace temper::detail
