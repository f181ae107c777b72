#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace temper_test {

/// Files of pixels [height, width, channels], with 1 (gray), 3 or, for PNG, 4 channels.
std::string png_file(const std::vector<std::uint8_t>& pixels, int height, int width, int channels);
std::string jpeg_file(const std::vector<std::uint8_t>& pixels, int height, int width, int channels, int quality = 100);

/// A gray, progressive JPEG file that goes over its pixels 128 times: a bit of a coefficient at a time.
std::string jpeg_of_many_scans(const std::vector<std::uint8_t>& pixels, int height, int width);

/// A PNG file of 16 bits a channel, gray (1) or red, green, blue (3), with a gamma chunk unless it is 0.
std::string png_file16(const std::vector<std::uint16_t>& pixels, int height, int width, int channels, double gamma = 0);

/// A smooth picture, which JPEG keeps well.
std::vector<std::uint8_t> smooth(int height, int width, int channels);

}  // namespace temper_test
