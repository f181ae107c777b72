#include <temper/data/image_file.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/file_kind_internal.hpp"
#include "framework/data/pixels_internal.hpp"

namespace temper {

void detail::check_size(const char* format, std::int64_t height, std::int64_t width, std::int64_t max_pixels) {
  if (height * width <= max_pixels) return;
  fail<FileError>("{}: {} x {} pixels, the limit is {}", format, height, width, max_pixels);
}

namespace data {

namespace {

constexpr std::uint64_t largest_file = std::uint64_t{1} << 30;

bool begins_with(std::span<const std::byte> file, std::span<const unsigned char> magic) {
  return file.size() >= magic.size() && std::ranges::equal(file.first(magic.size()), magic, {}, [](std::byte b) {
           return std::to_integer<unsigned char>(b);
         });
}

temper::detail::Pixels decode(std::span<const std::byte> file, const ImageFileOptions& options) {
  constexpr std::array<unsigned char, 8> png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  constexpr std::array<unsigned char, 3> jpeg{0xff, 0xd8, 0xff};
  if (file.empty()) fail<FileError>("image: the file is empty");
  if (begins_with(file, png)) return temper::detail::decode_png(file, options.channels, options.max_pixels);
  if (begins_with(file, jpeg))
    return temper::detail::decode_jpeg(file, options.channels, options.max_pixels, options.upright);
  if (const std::string_view kind = temper::detail::file_kind(file); !kind.empty()) {
    fail<FileError>("image: neither PNG nor JPEG, this is {}", kind);
  }
  fail<FileError>("image: neither PNG nor JPEG, it begins with {:02x}",
                  fmt::join(file.first(std::min<std::size_t>(file.size(), 4)), " "));
}

}  // namespace

Tensor parse_image(std::span<const std::byte> file, std::string_view name, const ImageFileOptions& options) {
  if (options.channels != 1 && options.channels != 3) {
    fail<ValueError>("image: {} channels, expected 1 (gray) or 3", options.channels);
  }
  try {
    const temper::detail::Pixels image = decode(file, options);
    Tensor tensor = empty({image.height, image.width, image.channels});
    std::ranges::transform(image.values, tensor.mutable_data<float>(),
                           [](std::uint8_t x) { return static_cast<float>(x) / 255.0f; });
    return tensor;
  } catch (const FileError& error) {
    fail<FileError>("{}: {}", temper::detail::printable(name), error.what());
  }
}

Tensor read_image(const std::filesystem::path& path, const ImageFileOptions& options) {
  return parse_image(temper::detail::read_file(path, largest_file), path.native(), options);
}

}  // namespace data
}  // namespace temper
