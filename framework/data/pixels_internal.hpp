#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace temper::detail {

/// 8-bit pixels [height, width, channels].
struct Pixels {
  std::int64_t height = 0, width = 0, channels = 0;
  std::vector<std::uint8_t> values;
};

/// Decode a whole image file in memory. Throw: FileError when it is damaged, cut off, or has more than `max_pixels`.
Pixels decode_jpeg(std::span<const std::byte> file, std::int64_t channels, std::int64_t max_pixels);
Pixels decode_png(std::span<const std::byte> file, std::int64_t channels, std::int64_t max_pixels);

}  // namespace temper::detail
