#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/utf8_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/io/zip_internal.hpp"

namespace temper::detail {

namespace {

constexpr std::uint64_t longest_name = 0xffff - 4;  // with .npy
constexpr std::uint16_t utf8_names = 1 << 11;       // among the flags

template <class T>
void put(std::string& out, T value) {
  std::array<char, sizeof(T)> bytes;
  std::memcpy(bytes.data(), &value, sizeof value);
  out.append(bytes.data(), bytes.size());
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::vector<std::byte> deflated(std::span<const std::span<const std::byte>> parts) {
  struct Deflate {
    z_stream stream{};
    Deflate() {
      if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        fail<OutOfMemoryError>("zip: not enough memory");
      }
    }
    ~Deflate() { deflateEnd(&stream); }
  } packer;
  z_stream& stream = packer.stream;
  std::vector<std::byte> out;
  std::array<std::byte, 1 << 16> buffer;
  const auto drain = [&](int flush) {
    do {
      stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      deflate(&stream, flush);
      out.insert(out.end(), buffer.begin(), buffer.end() - stream.avail_out);
    } while (stream.avail_out == 0);
  };
  for (std::span<const std::byte> part : parts) {
    while (!part.empty()) {  // zlib counts in 32 bits
      const auto piece = part.first(std::min<std::size_t>(part.size(), 1 << 30));
      stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(piece.data()));
      stream.avail_in = static_cast<uInt>(piece.size());
      drain(Z_NO_FLUSH);
      part = part.subspan(piece.size());
    }
  }
  drain(Z_FINISH);
  return out;
}

}  // namespace

void check_member_name(std::string_view name) {
  const bool control =
      std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (name.empty() || name.size() > longest_name || control || find_invalid_utf8(name) != std::string::npos) {
    fail<ValueError>("save_npz: '{}' cannot be an array's name: expected 1 to {} bytes of UTF-8, no control characters",
                     printable(name), longest_name);
  }
}

void ZipWriter::write(std::span<const std::byte> bytes) {
  file_.write(bytes);
  place_ += bytes.size();
}

void ZipWriter::add(const std::string& name, std::span<const std::span<const std::byte>> parts, bool compress) {
  std::uint64_t size = 0;
  uLong crc = 0;
  for (const auto& part : parts) {
    size += part.size();
    crc = ::crc32_z(crc, reinterpret_cast<const Bytef*>(part.data()), part.size());
  }
  const std::vector<std::byte> packed = compress ? deflated(parts) : std::vector<std::byte>();
  const std::uint64_t packed_size = compress ? packed.size() : size, place = place_;
  // Sizes that 32 bits do not hold go to a field of their own.
  const bool wide = size >= zip_full || packed_size >= zip_full, far = place >= zip_full;
  const auto narrow = [](std::uint64_t value, bool elsewhere) {
    return elsewhere ? zip_full : static_cast<std::uint32_t>(value);
  };
  const auto common = [&](std::string& out) {
    put<std::uint16_t>(out, wide || far ? 45 : 20);  // the version needed to read it
    put<std::uint16_t>(out, utf8_names);
    put<std::uint16_t>(out, compress ? 8 : 0);
    put<std::uint16_t>(out, 0);
    put<std::uint16_t>(out, 1 << 5 | 1);  // the first day of 1980, before which the format has none
    put(out, static_cast<std::uint32_t>(crc));
    put(out, narrow(packed_size, wide));
    put(out, narrow(size, wide));
    put(out, static_cast<std::uint16_t>(name.size()));
  };
  const auto extra = [&](std::string& out, bool with_place) {
    const int numbers = (wide ? 2 : 0) + (with_place ? 1 : 0);
    if (numbers == 0) return;
    put<std::uint16_t>(out, zip_extra64);
    put(out, static_cast<std::uint16_t>(8 * numbers));
    if (wide) {
      put(out, size);
      put(out, packed_size);
    }
    if (with_place) put(out, place);
  };

  std::string header, own, theirs;
  extra(own, false);
  put(header, zip_local_signature);
  common(header);
  put(header, static_cast<std::uint16_t>(own.size()));
  header += name + own;
  write(bytes_of(header));
  if (compress) {
    write(packed);
  } else {
    for (const auto& part : parts) write(part);
  }

  extra(theirs, far);
  put(directory_, zip_central_signature);
  put<std::uint16_t>(directory_, 45);
  common(directory_);
  put(directory_, static_cast<std::uint16_t>(theirs.size()));
  put<std::uint16_t>(directory_, 0);  // comment
  put<std::uint16_t>(directory_, 0);  // disk
  put<std::uint16_t>(directory_, 0);  // attributes
  put<std::uint32_t>(directory_, 0);
  put(directory_, narrow(place, far));
  directory_ += name + theirs;
  ++members_;
}

void ZipWriter::finish() {
  const std::uint64_t begin = place_, bytes = directory_.size();
  write(bytes_of(directory_));
  std::string end;
  const bool wide = members_ >= 0xffff || begin >= zip_full || bytes >= zip_full;
  if (wide) {
    const std::uint64_t place = place_;
    put(end, zip_end64_signature);
    put<std::uint64_t>(end, zip_end64_bytes - 12);  // of what follows
    put<std::uint16_t>(end, 45);
    put<std::uint16_t>(end, 45);
    put<std::uint32_t>(end, 0);
    put<std::uint32_t>(end, 0);
    put(end, members_);
    put(end, members_);
    put(end, bytes);
    put(end, begin);
    put(end, zip_locator64_signature);
    put<std::uint32_t>(end, 0);
    put(end, place);
    put<std::uint32_t>(end, 1);  // disks
  }
  put(end, zip_end_signature);
  put<std::uint32_t>(end, 0);  // disks
  for (int i = 0; i < 2; ++i) put(end, wide ? std::uint16_t{0xffff} : static_cast<std::uint16_t>(members_));
  put(end, wide ? zip_full : static_cast<std::uint32_t>(bytes));
  put(end, wide ? zip_full : static_cast<std::uint32_t>(begin));
  put<std::uint16_t>(end, 0);  // comment
  write(bytes_of(end));
}

}  // namespace temper::detail
