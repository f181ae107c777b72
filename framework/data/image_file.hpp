#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include <temper/tensor/tensor.hpp>

namespace temper::data {

struct ImageFileOptions {
  std::int64_t channels = 3;                        ///< 3: red, green, blue; 1: gray
  std::int64_t max_pixels = std::int64_t{1} << 26;  ///< refuse larger images, before allocating anything
  bool upright = true;                              ///< turn a JPEG as its EXIF orientation says
};

/// Reads a PNG or JPEG image: f32 [H, W, channels] from 0 to 1, the numbers that the file holds, as Pillow and
/// torchvision read them: no gamma, no colour profile. 16-bit channels are rounded to 8; colours become gray by
/// Rec. 601; what is transparent lies on black (Pillow shows what is under it); CMYK becomes RGB.
/// Throws: FileError that begins with the path, for a file that is neither, is damaged or cut off, or too large.
Tensor read_image(const std::filesystem::path& path, const ImageFileOptions& options = {});
/// The same from memory; `name` is for messages.
Tensor parse_image(std::span<const std::byte> file, std::string_view name, const ImageFileOptions& options = {});

}  // namespace temper::data
