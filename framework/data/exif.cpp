// Cameras store the picture as their sensor lay, and beside it how it is to be turned.

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "framework/data/pixels_internal.hpp"

namespace temper::detail {

int exif_orientation(std::span<const std::byte> segment) {
  constexpr std::string_view exif{"Exif\0\0", 6};
  constexpr std::uint32_t tag_orientation = 0x0112, type_short = 3, entry_bytes = 12;
  if (segment.size() < exif.size() || std::memcmp(segment.data(), exif.data(), exif.size()) != 0) return 1;
  const std::span<const std::byte> tiff = segment.subspan(exif.size());
  const bool little = !tiff.empty() && tiff[0] == std::byte{'I'};
  bool inside = true;
  const auto number = [&](std::size_t at, std::size_t bytes) {
    std::uint32_t value = 0;
    if (at > tiff.size() || tiff.size() - at < bytes) {
      inside = false;
      return value;
    }
    for (std::size_t i = 0; i < bytes; ++i) {
      value = value << 8 | std::to_integer<std::uint32_t>(tiff[at + (little ? bytes - 1 - i : i)]);
    }
    return value;
  };
  const std::size_t directory = number(4, 4);
  const std::uint32_t entries = number(directory, 2);
  for (std::size_t i = 0; i < entries && inside; ++i) {
    const std::size_t entry = directory + 2 + i * entry_bytes;
    if (number(entry, 2) != tag_orientation || number(entry + 2, 2) != type_short) continue;
    const std::uint32_t orientation = number(entry + 8, 2);
    if (inside && orientation >= 1 && orientation <= 8) return static_cast<int>(orientation);
  }
  return 1;
}

Pixels upright(Pixels image, int orientation) {
  if (orientation == 1) return image;
  // Where the stored first row and first column lie in the picture.
  const bool swaps = orientation >= 5;
  const bool from_bottom = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
  const bool from_right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
  Pixels turned(swaps ? image.width : image.height, swaps ? image.height : image.width, image.channels);
  const std::uint8_t* in = image.values.data();
  for (std::int64_t y = 0; y < image.height; ++y) {
    for (std::int64_t x = 0; x < image.width; ++x, in += image.channels) {
      std::int64_t row = swaps ? x : y, column = swaps ? y : x;
      if (from_bottom) row = turned.height - 1 - row;
      if (from_right) column = turned.width - 1 - column;
      std::copy_n(in, image.channels, turned.values.data() + (row * turned.width + column) * image.channels);
    }
  }
  return turned;
}

}  // namespace temper::detail
