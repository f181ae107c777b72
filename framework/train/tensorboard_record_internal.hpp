#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace temper::detail {

/// The cyclic redundancy check with Castagnoli's polynomial. Source: RFC 3720, appendix B.4.
std::uint32_t crc32c(std::string_view bytes);

/// A protocol buffers message, encoded field by field. clear() keeps the memory.
/// Source: protobuf.dev, "Encoding".
class Message {
 public:
  void clear() { bytes_.clear(); }
  std::string_view bytes() const { return bytes_; }

  void integer(int field, std::int64_t value);
  void real64(int field, double value);
  void real32(int field, float value);
  /// A string, bytes, or another message.
  void text(int field, std::string_view value);

 private:
  void varint(std::uint64_t value);

  std::string bytes_;
};

/// Appends a record to `out`: length, its masked CRC, the bytes, their masked CRC. Source: TensorFlow, record_writer.h.
void append_record(std::string& out, std::string_view bytes);

}  // namespace temper::detail
