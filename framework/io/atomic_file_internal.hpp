#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace temper::detail {

enum class Lock { taken, busy, unsupported };

/// Locks an opened file or folder for this program alone, if no other has it and the file system knows of locks. The
/// lock goes with the descriptor. Throws: FileError that begins with the path.
Lock lock_alone(int descriptor, const std::filesystem::path& path);

/// Makes a folder and those above it that are missing, so that they outlast a power failure.
/// Throws: FileError that begins with the path.
void make_folders(const std::filesystem::path& folder);

/// Whether there is something of that name; a link counts by where it leads. Throws: FileError when that cannot be
/// told.
bool path_exists(const std::filesystem::path& path);

/// Replaces a file as a whole or not at all: what is written goes to a temporary file beside it, which takes its place
/// in commit(), when all of it is on the disk. Whenever the program or the machine stops, the path holds either what
/// it held before or everything new.
class AtomicFile {
 public:
  /// Throws, as all here: FileError that begins with the path.
  explicit AtomicFile(const std::filesystem::path& path);
  /// Removes the temporary file unless it was committed.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  /// Overwrites what was written before, for a header that was not known then.
  void write_at(std::uint64_t place, std::span<const std::byte> bytes);
  void commit();

 private:
  bool open_and_lock();
  [[noreturn]] void fail_with(const char* what, int error) const;

  std::filesystem::path path_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
  bool committed_ = false;
};

/// Makes the names in a folder outlast a power failure: to be called after a rename.
/// Throws: FileError that begins with the path.
void sync_folder(const std::filesystem::path& folder);

}  // namespace temper::detail
