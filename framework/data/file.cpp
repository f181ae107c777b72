#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/gzip_internal.hpp"

namespace temper::detail {

std::string printable(std::string_view text) {
  constexpr std::size_t longest = 120;
  std::string shown;
  for (const char c : text.substr(0, longest)) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7f) {
      shown += fmt::format("\\x{:02x}", code);
    } else {
      shown += c;
    }
  }
  if (text.size() > longest) shown += fmt::format("... ({} bytes)", text.size());
  return shown;
}

FileSource::FileSource(const std::filesystem::path& path) {
  const std::string name = printable(path.native());
  if (path.native().find('\0') != std::string::npos) fail<FileError>("{}: a path cannot hold a zero byte", name);
  // Without O_NONBLOCK, opening a FIFO would wait for a writer that may never come.
  descriptor_ = retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); });
  if (descriptor_ < 0) fail<ReadError>("{}: cannot open: {}", name, std::strerror(errno));
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) {
    const int error = errno;
    ::close(descriptor_);
    fail<ReadError>("{}: cannot read: {}", name, std::strerror(error));
  }
  if (!S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    const char* what = S_ISDIR(status.st_mode)                              ? "a folder"
                       : S_ISFIFO(status.st_mode)                           ? "a pipe"
                       : S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode) ? "a device"
                                                                            : "something else";
    fail<FileError>("{}: expected a file, this is {}", name, what);
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

FileSource::~FileSource() { ::close(descriptor_); }

std::size_t FileSource::read_some(std::uint64_t place, std::span<std::byte> out) {
  const ssize_t count =
      retried([&] { return ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(place)); });
  if (count < 0) fail<ReadError>("cannot read: {}", std::strerror(errno));
  return static_cast<std::size_t>(count);
}

void FileSource::read(std::uint64_t place, std::span<std::byte> out) {
  while (!out.empty()) {
    const std::size_t count = read_some(place, out);
    if (count == 0) fail<FileError>("ended after {} bytes, it had {} when it was opened", place, size_);
    place += count;
    out = out.subspan(count);
  }
}

void FileSource::expect_end() {
  std::byte extra;
  if (read_some(size_, {&extra, 1}) != 0) {
    fail<FileError>("has more than the {} bytes it had when it was opened", size_);
  }
}

void MemorySource::read(std::uint64_t place, std::span<std::byte> out) {
  if (place > bytes_.size() || out.size() > bytes_.size() - place) {
    fail<FileError>("ended after {} bytes", bytes_.size());
  }
  std::ranges::copy(bytes_.subspan(place, out.size()), out.begin());
}

std::uint64_t memory_of_machine() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGE_SIZE));
}

std::vector<std::byte> read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  FileSource file(path);
  return with_path(path, [&] {
    if (file.size() > max_bytes) fail<FileError>("has {} bytes, the limit is {}", file.size(), max_bytes);
    std::vector<std::byte> bytes(file.size());
    file.read(0, bytes);
    file.expect_end();
    return bytes;
  });
}

std::string read_unpacked(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const std::vector<std::byte> file = read_file(path, max_bytes);
  if (!is_gzip(file) && path.extension() != ".gz") {
    return {reinterpret_cast<const char*>(file.data()), file.size()};
  }
  return with_path(path, [&] {
    Gunzip gzip(file);
    std::string text;
    std::array<std::byte, 1 << 16> part;
    while (const std::size_t count = gzip.read(part)) {
      if (text.size() + count > max_bytes) fail<FileError>("unpacks to more than the limit of {} bytes", max_bytes);
      text.append(reinterpret_cast<const char*>(part.data()), count);
    }
    gzip.finish();
    return text;
  });
}

std::string read_text(const std::filesystem::path& path, std::uint64_t max_bytes) {
  std::string text = read_unpacked(path, max_bytes);
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    fail<FileError>("{}: the text is UTF-16; save it as UTF-8", printable(path.native()));
  }
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  return text;
}

}  // namespace temper::detail
