#include <zlib.h>

#include <algorithm>
#include <limits>

#include "framework/core/format_internal.hpp"
#include "framework/data/gzip_internal.hpp"

namespace temper::detail {

namespace {

enum Flag : unsigned { has_header_crc = 2, has_extra = 4, has_name = 8, has_comment = 16, reserved = 0xe0 };

unsigned at(std::span<const std::byte> bytes, std::size_t i) { return std::to_integer<unsigned>(bytes[i]); }

std::uint32_t little_endian(std::span<const std::byte> bytes, std::size_t count) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value |= at(bytes, i) << (8 * i);
  return value;
}

std::uint32_t updated_crc(std::uint32_t crc, std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(::crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// zlib counts in 32 bits.
uInt limited(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

}  // namespace

struct Gunzip::Stream : z_stream {};

bool is_gzip(std::span<const std::byte> file) { return file.size() >= 2 && at(file, 0) == 0x1f && at(file, 1) == 0x8b; }

Gunzip::Gunzip(std::span<const std::byte> file) : stream_(std::make_unique<Stream>()), rest_(file) {
  parse_header();
  if (inflateInit2(stream_.get(), -MAX_WBITS) != Z_OK) fail<OutOfMemoryError>("gzip: not enough memory");
}

Gunzip::~Gunzip() { inflateEnd(stream_.get()); }

void Gunzip::parse_header() {
  const std::span<const std::byte> file = rest_;
  if (file.empty()) fail<FileError>("gzip: the file is empty");
  if (!is_gzip(file)) fail<FileError>("gzip: not a gzip file, it does not begin with 1f 8b");
  std::size_t position = 10;
  const auto need = [&](std::size_t count, const char* part) {
    if (file.size() < position + count) fail<FileError>("gzip: the file ends within the header's {}", part);
  };
  position = 0;
  need(10, "first 10 bytes");
  if (at(file, 2) != 8) fail<FileError>("gzip: compression method {}, expected 8 (deflate)", at(file, 2));
  const unsigned flags = at(file, 3);
  if (flags & reserved) fail<FileError>("gzip: reserved flag bits are set (flags {:02x})", flags);
  position = 10;
  if (flags & has_extra) {
    need(2, "extra field");
    const std::uint32_t length = little_endian(file.subspan(position), 2);
    position += 2;
    need(length, "extra field");
    position += length;
  }
  const auto skip_text = [&](const char* part) {
    const auto end = std::find(file.begin() + static_cast<std::ptrdiff_t>(position), file.end(), std::byte{0});
    if (end == file.end()) fail<FileError>("gzip: the file ends within the header's {}", part);
    position = static_cast<std::size_t>(end - file.begin()) + 1;
  };
  if (flags & has_name) skip_text("file name");
  if (flags & has_comment) skip_text("comment");
  if (flags & has_header_crc) {
    need(2, "checksum");
    const std::uint32_t actual = updated_crc(0, file.first(position)) & 0xffff;
    const std::uint32_t stored = little_endian(file.subspan(position), 2);
    if (actual != stored) fail<FileError>("gzip: header checksum {:04x}, expected {:04x}", actual, stored);
    position += 2;
  }
  rest_ = file.subspan(position);
}

std::size_t Gunzip::read(std::span<std::byte> out) {
  std::size_t filled = 0;
  while (filled < out.size() && !ended_) {
    const std::span<std::byte> target = out.subspan(filled);
    const uInt given = limited(rest_.size());
    const uInt room = limited(target.size());
    stream_->next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(rest_.data()));
    stream_->avail_in = given;
    stream_->next_out = reinterpret_cast<Bytef*>(target.data());
    stream_->avail_out = room;
    const int status = inflate(stream_.get(), Z_NO_FLUSH);
    rest_ = rest_.subspan(given - stream_->avail_in);
    const std::size_t made = room - stream_->avail_out;
    crc_ = updated_crc(crc_, target.first(made));
    filled += made;
    produced_ += made;
    if (status == Z_STREAM_END) {
      ended_ = true;
    } else if (status == Z_DATA_ERROR) {
      fail<FileError>("gzip: damaged after {} bytes of data: {}", produced_, stream_->msg ? stream_->msg : "unknown");
    } else if (status == Z_MEM_ERROR) {
      fail<OutOfMemoryError>("gzip: not enough memory");
    } else if (made == 0 && rest_.empty()) {
      fail<FileError>("gzip: the compressed data is cut off after {} bytes of data", produced_);
    }
  }
  return filled;
}

void Gunzip::finish() {
  std::byte extra;
  if (read({&extra, 1}) != 0) fail<FileError>("gzip: more data than the {} bytes expected", produced_ - 1);
  if (rest_.size() < 8) fail<FileError>("gzip: the trailer (checksum and length) is cut off");
  const std::uint32_t crc = little_endian(rest_, 4);
  const std::uint32_t length = little_endian(rest_.subspan(4), 4);
  if (crc != crc_) fail<FileError>("gzip: checksum {:08x}, the file says {:08x}", crc_, crc);
  if (length != static_cast<std::uint32_t>(produced_)) {
    fail<FileError>("gzip: {} bytes of data, the file says {} (modulo 2^32)", produced_, length);
  }
  const std::span<const std::byte> after = rest_.subspan(8);
  if (after.empty()) return;
  if (is_gzip(after)) fail<FileError>("gzip: a second member follows; expected one");
  const bool zeros = std::ranges::all_of(after, [](std::byte b) { return b == std::byte{0}; });
  fail<FileError>("gzip: {} {} after the end", after.size(), zeros ? "zero bytes" : "bytes of garbage");
}

}  // namespace temper::detail
