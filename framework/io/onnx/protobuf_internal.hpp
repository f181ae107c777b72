#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace temper::detail::onnx {

/// A message in Protocol Buffers' wire format, written field by field. Long bytes are referred to, not copied, and must
/// live as long. Source: Google, "Protocol Buffers: Encoding".
class Message {
 public:
  void integer(int field, std::int64_t value);
  void real(int field, float value);
  void text(int field, std::string_view value);
  void integers(int field, std::span<const std::int64_t> values);
  void bytes(int field, std::span<const std::byte> value);
  void message(int field, const Message& value);

  std::uint64_t size() const { return size_; }
  /// Calls write(std::span<const std::byte>) for its parts, in their order.
  template <class Write>
  void for_parts(Write&& write) const {
    std::size_t at = 0;
    for (const auto& [place, far] : far_) {
      write(std::as_bytes(std::span(own_).subspan(at, place - at)));
      write(far);
      at = place;
    }
    write(std::as_bytes(std::span(own_).subspan(at)));
  }

 private:
  struct Far {
    std::size_t place;  // in own_, before which it stands
    std::span<const std::byte> bytes;
  };

  void varint(std::uint64_t value);
  void tag(int field, int wire_type);

  std::string own_;
  std::vector<Far> far_;
  std::uint64_t size_ = 0;
};

}  // namespace temper::detail::onnx
