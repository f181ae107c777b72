#include "framework/data/gzip_internal.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "framework/core/format_internal.hpp"

namespace temper::detail {

namespace {

/// zlib counts in 32 bits.
uInt limited(std::size_t size) {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

}  // namespace

struct Gunzip::Stream : z_stream {};

bool is_gzip(std::span<const std::byte> file) {
  return file.size() >= 2 && file[0] == std::byte{0x1f} && file[1] == std::byte{0x8b};
}

std::uint64_t most_unpacked(std::uint64_t compressed) { return compressed * 1032; }

Gunzip::Gunzip(std::span<const std::byte> file) : stream_(std::make_unique<Stream>()), rest_(file) {
  if (file.empty()) fail<FileError>("gzip: the file is empty");
  if (!is_gzip(file)) fail<FileError>("gzip: not a gzip file, it does not begin with 1f 8b");
  constexpr int as_gzip = 16;
  if (inflateInit2(stream_.get(), MAX_WBITS + as_gzip) != Z_OK) fail<OutOfMemoryError>("gzip: not enough memory");
}

Gunzip::~Gunzip() { inflateEnd(stream_.get()); }

std::size_t Gunzip::read(std::span<std::byte> out) {
  std::size_t filled = 0;
  while (filled < out.size() && !ended_) {
    const std::span<std::byte> target = out.subspan(filled);
    const uInt given = limited(rest_.size()), room = limited(target.size());
    stream_->next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(rest_.data()));
    stream_->avail_in = given;
    stream_->next_out = reinterpret_cast<Bytef*>(target.data());
    stream_->avail_out = room;
    const int status = inflate(stream_.get(), Z_NO_FLUSH);
    rest_ = rest_.subspan(given - stream_->avail_in);
    const std::size_t made = room - stream_->avail_out;
    filled += made;
    produced_ += made;
    if (status == Z_STREAM_END) {
      end_member();
    } else if (status == Z_DATA_ERROR || status == Z_NEED_DICT) {
      fail<FileError>("gzip: damaged after {} bytes of data: {}", produced_,
                      stream_->msg != nullptr ? stream_->msg : "unknown");
    } else if (status == Z_MEM_ERROR) {
      fail<OutOfMemoryError>("gzip: not enough memory");
    } else if (made == 0 && rest_.empty()) {
      fail<FileError>("gzip: the file is cut off after {} bytes of data", produced_);
    }
  }
  return filled;
}

void Gunzip::end_member() {
  if (is_gzip(rest_)) {
    inflateReset(stream_.get());
    return;
  }
  ended_ = true;
  if (rest_.empty()) return;
  const bool zeros = std::ranges::all_of(rest_, [](std::byte b) { return b == std::byte{0}; });
  fail<FileError>("gzip: {} {} after the end", rest_.size(), zeros ? "zero bytes" : "bytes of garbage");
}

void Gunzip::finish() {
  std::byte extra;
  if (read({&extra, 1}) != 0) fail<FileError>("gzip: more data than the {} bytes expected", produced_ - 1);
}

}  // namespace temper::detail
