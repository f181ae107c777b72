#include <png.h>

#include "framework/core/format_internal.hpp"
#include "framework/data/pixels_internal.hpp"

namespace temper::detail {

namespace {

/// Frees what libpng holds when decoding ends early.
struct Freed {
  png_image& image;
  ~Freed() { png_image_free(&image); }
};

}  // namespace

Pixels decode_png(std::span<const std::byte> file, std::int64_t channels, std::int64_t max_pixels) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const Freed freed{png};
  if (png_image_begin_read_from_memory(&png, file.data(), file.size()) == 0) fail<FileError>("png: {}", png.message);
  Pixels image{png.height, png.width, channels, {}};
  if (image.height * image.width > max_pixels) {
    fail<FileError>("png: {} x {} pixels, the limit is {}", image.height, image.width, max_pixels);
  }
  // Deflate packs at best 258 bytes into two bits, a byte holds at most 8 pixels.
  if (static_cast<std::uint64_t>(image.height * image.width) > std::uint64_t{file.size()} * 1032 * 8) {
    fail<FileError>("png: {} x {} pixels cannot be in {} bytes", image.height, image.width, file.size());
  }
  png.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  image.values.resize(static_cast<std::size_t>(image.height * image.width * channels));
  const png_color black{0, 0, 0};
  if (png_image_finish_read(&png, &black, image.values.data(), 0, nullptr) == 0) {
    fail<FileError>("png: {}", png.message);
  }
  return image;
}

}  // namespace temper::detail
