#include <temper/data/token_file.hpp>

#include <algorithm>
#include <cstring>

#include "framework/core/format_internal.hpp"
#include "framework/data/mapped_file_internal.hpp"
#include "framework/data/npy_internal.hpp"

namespace temper::data {

struct TokenFile::Storage {
  explicit Storage(const std::filesystem::path& path) : file(path) {}

  template <class Stored>
  void copy(std::int64_t first, std::span<std::int64_t> out) const {
    const std::byte* from = tokens + static_cast<std::size_t>(first) * sizeof(Stored);
    for (std::int64_t& token : out) {
      Stored stored;
      std::memcpy(&stored, from, sizeof stored);
      token = static_cast<std::int64_t>(stored);
      from += sizeof stored;
    }
  }

  temper::detail::MappedFile file;
  const std::byte* tokens = nullptr;
  std::int64_t size = 0;
  std::size_t bytes = 0;  // of a token
  bool is_signed = false;
};

TokenFile::TokenFile(const std::filesystem::path& path, const TokenFileOptions& options) {
  if (options.headerless != 0 && options.headerless != 2 && options.headerless != 4) {
    fail<ValueError>("TokenFile: tokens of {} bytes without header, expected 2 or 4", options.headerless);
  }
  auto storage = std::make_shared<Storage>(path);
  const std::span<const std::byte> all = storage->file.bytes();
  temper::detail::with_path(path, [&] {
    if (options.headerless != 0) {
      storage->bytes = static_cast<std::size_t>(options.headerless);
      if (all.size() % storage->bytes != 0)
        fail<FileError>("{} bytes are no whole number of tokens of {}", all.size(), storage->bytes);
      storage->tokens = all.data();
      storage->size = static_cast<std::int64_t>(all.size() / storage->bytes);
      return;
    }
    std::size_t place = 0;
    const temper::detail::NpyHeader header = temper::detail::read_npy_header([&](std::span<std::byte> out) {
      if (out.size() > all.size() - place) fail<FileError>("npy: ended after {} bytes, within the header", all.size());
      std::ranges::copy(all.subspan(place, out.size()), out.begin());
      place += out.size();
    });
    if ((header.kind != 'u' && header.kind != 'i') || header.swapped || header.shape.rank() != 1) {
      fail<FileError>("an array {} of {}'{}{}', expected one axis of little-endian integers", header.shape,
                      header.swapped ? "big-endian " : "", header.kind, header.bytes);
    }
    if (header.data_bytes() != all.size() - header.begin) {
      fail<FileError>("{} of {} bytes each need {} bytes, there are {}", header.shape, header.bytes,
                      header.data_bytes(), all.size() - header.begin);
    }
    storage->bytes = header.bytes;
    storage->is_signed = header.kind == 'i';
    storage->tokens = all.data() + header.begin;
    storage->size = header.shape[0];
  });
  storage_ = std::move(storage);
}

std::int64_t TokenFile::size() const { return storage_->size; }

void TokenFile::copy(std::int64_t begin, std::span<std::int64_t> out) const {
  const Storage& from = *storage_;
  const std::int64_t count = std::ssize(out);
  if (begin < 0 || count > from.size - std::min(begin, from.size)) {
    fail<ValueError>("{}: tokens {} to {} of {}", from.file.name(), begin, begin + count, from.size);
  }
  from.file.check();
  switch (from.bytes) {
    case 1: from.is_signed ? from.copy<std::int8_t>(begin, out) : from.copy<std::uint8_t>(begin, out); break;
    case 2: from.is_signed ? from.copy<std::int16_t>(begin, out) : from.copy<std::uint16_t>(begin, out); break;
    case 4: from.is_signed ? from.copy<std::int32_t>(begin, out) : from.copy<std::uint32_t>(begin, out); break;
    default: from.copy<std::int64_t>(begin, out);  // an unsigned one past 2^63 is below 0
  }
  const bool may_be_negative = from.is_signed || from.bytes == 8;
  if (!may_be_negative) return;
  const auto negative = std::ranges::find_if(out, [](std::int64_t token) { return token < 0; });
  if (negative != out.end()) {
    fail<FileError>("{}: token {} is {}, expected 0 or more", from.file.name(), begin + (negative - out.begin()),
                    *negative);
  }
}

}  // namespace temper::data
