#include "tests/data/pictures.hpp"

#include <cstdio>  // jpeglib.h needs it first
#include <cstdlib>

#include <jpeglib.h>
#include <png.h>

#include <doctest/doctest.h>

namespace temper_test {

std::string png_file(const std::vector<std::uint8_t>& pixels, int height, int width, int channels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(height);
  image.width = static_cast<png_uint_32>(width);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  png_alloc_size_t size = 0;
  REQUIRE(png_image_write_get_memory_size(image, size, 0, pixels.data(), 0, nullptr));
  std::string file(size, '\0');
  REQUIRE(png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), 0, nullptr));
  file.resize(size);
  return file;
}

std::string png_file16(const std::vector<std::uint16_t>& pixels, int height, int width, int channels, double gamma) {
  std::string file;
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  const auto append = [](png_structp state, png_bytep bytes, std::size_t count) {
    static_cast<std::string*>(png_get_io_ptr(state))->append(reinterpret_cast<const char*>(bytes), count);
  };
  png_set_write_fn(png, &file, append, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), 16,
               channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (gamma > 0) png_set_gAMA(png, info, gamma);
  png_write_info(png, info);
  for (int y = 0; y < height; ++y) {
    std::string row;
    for (int i = 0; i < width * channels; ++i) {
      const std::uint16_t value = pixels[static_cast<std::size_t>(y * width * channels + i)];
      row += static_cast<char>(value >> 8);
      row += static_cast<char>(value & 0xff);
    }
    png_write_row(png, reinterpret_cast<png_const_bytep>(row.data()));
  }
  png_write_end(png, nullptr);
  png_destroy_write_struct(&png, &info);
  return file;
}

namespace {

std::string compressed(const std::vector<std::uint8_t>& pixels, int height, int width, int channels, int quality,
                       const std::vector<jpeg_scan_info>& scans) {
  jpeg_compress_struct state{};
  jpeg_error_mgr errors{};
  state.err = jpeg_std_error(&errors);
  jpeg_create_compress(&state);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&state, &bytes, &size);
  state.image_height = static_cast<JDIMENSION>(height);
  state.image_width = static_cast<JDIMENSION>(width);
  state.input_components = channels;
  state.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, quality, TRUE);
  if (!scans.empty()) {
    state.scan_info = scans.data();
    state.num_scans = static_cast<int>(scans.size());
  }
  jpeg_start_compress(&state, TRUE);
  for (int y = 0; y < height; ++y) {
    auto* row = const_cast<JSAMPROW>(pixels.data() + static_cast<std::ptrdiff_t>(y) * width * channels);
    jpeg_write_scanlines(&state, &row, 1);
  }
  jpeg_finish_compress(&state);
  jpeg_destroy_compress(&state);
  std::string file(reinterpret_cast<const char*>(bytes), size);
  std::free(bytes);
  return file;
}

}  // namespace

std::string jpeg_file(const std::vector<std::uint8_t>& pixels, int height, int width, int channels, int quality) {
  return compressed(pixels, height, width, channels, quality, {});
}

std::string jpeg_of_many_scans(const std::vector<std::uint8_t>& pixels, int height, int width) {
  std::vector<jpeg_scan_info> scans;
  for (const int low_bit : {1, 0}) {
    for (int k = 0; k < 64; ++k) scans.push_back({1, {0}, k, k, low_bit == 1 ? 0 : 1, low_bit});
  }
  return compressed(pixels, height, width, 1, 100, scans);
}

std::vector<std::uint8_t> smooth(int height, int width, int channels) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) pixels.push_back(static_cast<std::uint8_t>(40 + 3 * y + 5 * x + 20 * c));
    }
  }
  return pixels;
}

}  // namespace temper_test
