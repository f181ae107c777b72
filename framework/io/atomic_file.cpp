#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"

namespace temper::detail {

namespace fs = std::filesystem;

namespace {

bool same_file(int descriptor, const fs::path& path) {
  struct stat opened {};
  struct stat named {};
  return ::fstat(descriptor, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

/// The path after following all symbolic links, whether or not anything exists there.
fs::path resolve_links(fs::path path) {
  std::error_code error;
  for (int links = 0; fs::is_symlink(path, error); ++links) {
    if (links == 40) fail<FileError>("{}: more than 40 links one after the other", printable(path.native()));
    path = path.parent_path() / fs::read_symlink(path, error);  // an absolute target replaces the whole path
    if (error) fail<FileError>("{}: cannot follow the link: {}", printable(path.native()), error.message());
  }
  return path;
}

}  // namespace

Lock lock_exclusively(int descriptor, const fs::path& path) {
  if (retried([&] { return ::flock(descriptor, LOCK_EX | LOCK_NB); }) == 0) return Lock::taken;
  if (errno == EWOULDBLOCK) return Lock::busy;
  if (errno == ENOLCK || errno == ENOSYS || errno == EOPNOTSUPP) return Lock::unsupported;
  fail<FileError>("{}: cannot be locked: {}", printable(path.native()), std::strerror(errno));
}

bool path_exists(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::none) fail<FileError>("{}: {}", printable(path.native()), error.message());
  return fs::exists(status);
}

void make_folders(const fs::path& folder) {
  if (path_exists(folder)) {
    if (!fs::is_directory(folder)) fail<FileError>("{}: expected a folder, this is a file", printable(folder.native()));
    return;
  }
  const fs::path above = folder.parent_path();
  if (!above.empty()) make_folders(above);
  if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) {
    fail<FileError>("{}: cannot be made: {}", printable(folder.native()), std::strerror(errno));
  }
  sync_folder(above.empty() ? fs::path(".") : above);
}

AtomicFile::AtomicFile(const fs::path& path) : path_(path) {
  if (path.native().find('\0') != std::string::npos) fail_with("a path cannot hold a zero byte", 0);
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status)) fail_with("expected a file to replace", 0);
  path_ = resolve_links(path);  // a link is kept, its target is replaced
  if (const fs::path folder = path_.parent_path(); !folder.empty()) make_folders(folder);
  // Always the same name, so that the next save overwrites a file that a killed program left behind.
  temporary_ = path_;
  temporary_ += ".tmp";
  while (!open_and_lock()) {
  }
  const bool permitted =
      !fs::exists(status) ||
      retried([&] {
        return ::fchmod(descriptor_, static_cast<mode_t>(status.permissions()));  // those of the file it replaces
      }) == 0;
  if (!permitted || retried([&] { return ::ftruncate(descriptor_, 0); }) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    ::close(descriptor_);
    fail_with("cannot write", error);
  }
}

/// False when another program committed the temporary file between our opening and locking it: the descriptor then is
/// that of its finished file.
bool AtomicFile::open_and_lock() {
  constexpr int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  descriptor_ = retried([&] { return ::open(temporary_.c_str(), flags, 0666); });
  if (descriptor_ < 0) fail_with("cannot write", errno);
  try {
    // On a file system without locks, nothing keeps two programs from saving to one file at once.
    if (lock_exclusively(descriptor_, path_) == Lock::busy) fail_with("another program is saving to it", 0);
  } catch (const FileError&) {
    ::close(descriptor_);
    throw;
  }
  if (same_file(descriptor_, temporary_)) return true;
  ::close(descriptor_);
  return false;
}

AtomicFile::~AtomicFile() {
  if (!committed_) ::unlink(temporary_.c_str());  // while it is still locked: closing releases the lock
  ::close(descriptor_);
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = retried([&] { return ::write(descriptor_, bytes.data(), bytes.size()); });
    if (count <= 0) fail_with("cannot write", count == 0 ? ENOSPC : errno);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void AtomicFile::write_at(std::uint64_t place, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count =
        retried([&] { return ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(place)); });
    if (count <= 0) fail_with("cannot write", count == 0 ? ENOSPC : errno);
    place += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
}

void AtomicFile::commit() {
  // For power failures: first the contents must be on the disk, then the new name, then the folder with that name.
  if (retried([&] { return ::fsync(descriptor_); }) != 0) fail_with("cannot write", errno);
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with("cannot replace", errno);
  committed_ = true;
  try {
    sync_folder(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
  } catch (const FileError& error) {
    fail<FileError>("{}: written, but may not outlast a power failure: {}", printable(path_.native()), error.what());
  }
}

void sync_folder(const fs::path& folder) {
  const int opened = retried([&] { return ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (opened < 0) fail<FileError>("{}: cannot be opened: {}", printable(folder.native()), std::strerror(errno));
  const int status = retried([&] { return ::fsync(opened); });
  const int error = errno;
  ::close(opened);
  // EINVAL: the file system does not sync folders.
  if (status != 0 && error != EINVAL) {
    fail<FileError>("{}: cannot be written: {}", printable(folder.native()), std::strerror(error));
  }
}

void AtomicFile::fail_with(const char* what, int error) const {
  const std::string name = printable(path_.native());
  if (error == 0) fail<FileError>("{}: {}", name, what);
  fail<FileError>("{}: {}: {}", name, what, std::strerror(error));
}

}  // namespace temper::detail
