#include <array>
#include <bit>

#include "framework/train/tensorboard_record_internal.hpp"

namespace temper::detail {

namespace {

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  constexpr std::uint32_t reflected_polynomial = 0x82F63B78;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? reflected_polynomial : 0);
    table[i] = crc;
  }
  return table;
}();

/// The form in which a CRC is stored: the CRC of data that contains its own CRC would be weak.
std::uint32_t masked_crc(std::uint32_t crc) { return std::rotr(crc, 15) + 0xA282EAD8; }

template <class Bits>
void append_little_endian(std::string& out, Bits bits) {
  for (std::size_t i = 0; i < sizeof(Bits); ++i) out += static_cast<char>(bits >> (8 * i) & 0xFF);
}

enum Wire { varint_wire = 0, fixed64_wire = 1, length_wire = 2, fixed32_wire = 5 };

std::uint64_t key(int field, Wire wire) { return static_cast<std::uint64_t>(field) << 3 | wire; }

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ crc_table[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  return ~crc;
}

void Message::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>(value | 0x80);
  bytes_ += static_cast<char>(value);
}

void Message::integer(int field, std::int64_t value) {
  varint(key(field, varint_wire));
  varint(static_cast<std::uint64_t>(value));
}

void Message::real64(int field, double value) {
  varint(key(field, fixed64_wire));
  append_little_endian(bytes_, std::bit_cast<std::uint64_t>(value));
}

void Message::real32(int field, float value) {
  varint(key(field, fixed32_wire));
  append_little_endian(bytes_, std::bit_cast<std::uint32_t>(value));
}

void Message::text(int field, std::string_view value) {
  varint(key(field, length_wire));
  varint(value.size());
  bytes_ += value;
}

void append_record(std::string& out, std::string_view bytes) {
  const std::size_t begin = out.size();
  append_little_endian(out, static_cast<std::uint64_t>(bytes.size()));
  append_little_endian(out, masked_crc(crc32c(std::string_view(out).substr(begin))));
  out += bytes;
  append_little_endian(out, masked_crc(crc32c(bytes)));
}

}  // namespace temper::detail
