#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace temper::detail {

enum class Lock { taken, busy, unsupported };

/// Tries to lock an opened file or folder for this program alone, which may fail because another program has the lock
/// or the file system has no locks. Closing the descriptor unlocks it. Throws: FileError that begins with the path.
Lock lock_exclusively(int descriptor, const std::filesystem::path& path);

/// Makes a folder and its missing parents, and syncs them to the disk.
/// Throws: FileError that begins with the path.
void make_folders(const std::filesystem::path& folder);

/// Whether the path exists, following links. Throws: FileError when it cannot be looked up, such as for lack of
/// permission.
bool path_exists(const std::filesystem::path& path);

/// Replaces a file as a whole or not at all: data is written to a temporary file beside it, which commit() renames once
/// all of it is on the disk. Whenever the program or the machine stops, the path holds either the old contents or the
/// new ones.
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

/// Syncs the names in a folder to the disk: to be called after a rename.
/// Throws: FileError that begins with the path.
void sync_folder(const std::filesystem::path& folder);

}  // namespace temper::detail
