#include <bit>

#include "framework/io/onnx/protobuf_internal.hpp"

namespace temper::detail::onnx {

namespace {

constexpr int varint_type = 0, delimited_type = 2, fixed32_type = 5;

}  // namespace

void Message::varint(std::uint64_t value) {
  do {
    const auto low = static_cast<unsigned char>(value & 0x7f);
    value >>= 7;
    own_ += static_cast<char>(value != 0 ? low | 0x80 : low);
    ++size_;
  } while (value != 0);
}

void Message::tag(int field, int wire_type) { varint(static_cast<std::uint64_t>(field << 3 | wire_type)); }

void Message::integer(int field, std::int64_t value) {
  tag(field, varint_type);
  varint(static_cast<std::uint64_t>(value));
}

void Message::real(int field, float value) {
  tag(field, fixed32_type);
  const auto bits = std::bit_cast<std::uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) own_ += static_cast<char>(bits >> shift & 0xff);
  size_ += 4;
}

void Message::text(int field, std::string_view value) {
  tag(field, delimited_type);
  varint(value.size());
  own_ += value;
  size_ += value.size();
}

void Message::integers(int field, std::span<const std::int64_t> values) {
  for (const std::int64_t value : values) integer(field, value);
}

void Message::bytes(int field, std::span<const std::byte> value) {
  tag(field, delimited_type);
  varint(value.size());
  far_.push_back({own_.size(), value});
  size_ += value.size();
}

void Message::message(int field, const Message& value) {
  tag(field, delimited_type);
  varint(value.size_);
  for (const auto& [place, far] : value.far_) far_.push_back({own_.size() + place, far});
  own_ += value.own_;
  size_ += value.size_;
}

}  // namespace temper::detail::onnx
