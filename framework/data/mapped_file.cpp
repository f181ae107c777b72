#include "framework/data/mapped_file_internal.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "framework/core/format_internal.hpp"

namespace temper::detail {

MappedFile::MappedFile(const std::filesystem::path& path) : name_(printable(path.native())), file_(path) {
  if (file_.size() == 0) return;  // which cannot be mapped
  void* const begin = ::mmap(nullptr, file_.size(), PROT_READ, MAP_SHARED, file_.descriptor(), 0);
  if (begin == MAP_FAILED) fail<ReadError>("{}: cannot be mapped: {}", name_, std::strerror(errno));
  bytes_ = {static_cast<const std::byte*>(begin), file_.size()};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

void MappedFile::check() const {
  struct stat status {};
  if (::fstat(file_.descriptor(), &status) != 0) fail<ReadError>("{}: cannot read: {}", name_, std::strerror(errno));
  if (static_cast<std::uint64_t>(status.st_size) < bytes_.size()) {
    fail<FileError>("{}: was truncated while in use: {} bytes, it had {}", name_, status.st_size, bytes_.size());
  }
}

}  // namespace temper::detail
