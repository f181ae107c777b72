#include <zlib.h>

#include <algorithm>
#include <vector>

#include <temper/data/image_file.hpp>

#include "tests/fuzz/fuzz.hpp"

namespace {

std::uint32_t big_endian(const unsigned char* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
}

/// The file with the checksums of all chunks corrected, as random changes would never pass them.
std::vector<unsigned char> with_checksums(const Input& input) {
  constexpr std::size_t signature = 8, frame = 12;  // a chunk's length, type and checksum
  const std::string_view text = input.text();
  std::vector<unsigned char> file(text.begin(), text.end());
  for (std::size_t at = signature; at + frame <= file.size();) {
    const std::size_t length = big_endian(&file[at]);
    if (length > file.size() - at - frame) break;
    const auto crc = static_cast<std::uint32_t>(::crc32_z(0, &file[at + 4], length + 4));
    for (std::size_t i = 0; i < 4; ++i) file[at + 8 + length + i] = static_cast<unsigned char>(crc >> (24 - 8 * i));
    at += length + frame;
  }
  return file;
}

}  // namespace

void read(const Input& input) {
  const std::vector<unsigned char> file = with_checksums(input);
  for (const std::int64_t channels : {3, 1}) {
    temper::data::parse_image(std::as_bytes(std::span(file)), "fuzz", {.channels = channels, .max_pixels = 1 << 14});
  }
}
