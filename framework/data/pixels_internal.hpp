#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace temper::detail {

/// An image of 8-bit pixels, [height, width, channels].
struct Pixels {
  Pixels(std::int64_t its_height, std::int64_t its_width, std::int64_t its_channels)
      : height(its_height),
        width(its_width),
        channels(its_channels),
        values(static_cast<std::size_t>(height * width * channels)) {}

  std::int64_t height, width, channels;
  std::vector<std::uint8_t> values;
};

/// Decoders of whole files in memory, to 1 (gray) or 3 channels. What a file says about its size is checked before
/// memory is reserved. Throws: FileError.
Pixels decode_png(std::span<const std::byte> file, std::int64_t channels, std::int64_t max_pixels);
/// `upright`: turned as its EXIF orientation says.
Pixels decode_jpeg(std::span<const std::byte> file, std::int64_t channels, std::int64_t max_pixels, bool upright);

/// Throws: FileError when an image has more pixels than the limit.
void check_size(const char* format, std::int64_t height, std::int64_t width, std::int64_t max_pixels);

/// a * b / 255, rounded.
inline std::uint8_t rounded_product(unsigned a, unsigned b) { return static_cast<std::uint8_t>((a * b + 127) / 255); }

/// Writes a pixel to 3 channels or, as gray, to one: 0.299 red + 0.587 green + 0.114 blue of the encoded values, as
/// JPEG's luma is. Source: ITU-R BT.601.
inline void put_rgb(unsigned red, unsigned green, unsigned blue, std::int64_t channels, std::uint8_t* out) {
  if (channels == 1) {
    // In units of 2^-16; these sum to 2^16, so that gray stays what it is.
    *out = static_cast<std::uint8_t>((19595 * red + 38470 * green + 7471 * blue + (1u << 15)) >> 16);
  } else {
    out[0] = static_cast<std::uint8_t>(red);
    out[1] = static_cast<std::uint8_t>(green);
    out[2] = static_cast<std::uint8_t>(blue);
  }
}

/// The orientation, 1 to 8, that the contents of a JPEG file's EXIF segment (after its length) give; 1 when they give
/// none. Source: CIPA DC-008-2019, "Exchangeable image file format", 4.6.
int exif_orientation(std::span<const std::byte> segment);
/// An image of such an orientation as it was meant to be seen.
Pixels upright(Pixels image, int orientation);

}  // namespace temper::detail
