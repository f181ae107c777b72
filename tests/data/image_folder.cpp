#include <temper/data/image_folder.hpp>

#include <doctest/doctest.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/image_file.hpp>
#include <temper/data/loader.hpp>

#include "tests/data/files.hpp"
#include "tests/data/pictures.hpp"

using namespace temper;
using temper_test::Folder;
using temper_test::jpeg_file;
using temper_test::png_file;
using temper_test::png_file16;
using temper_test::smooth;

namespace {

Tensor parse(const std::string& file, const data::ImageFileOptions& options = {}) {
  return data::parse_image(std::as_bytes(std::span(file)), "x", options);
}

std::vector<float> bytes_of(const Tensor& image) {
  std::vector<float> bytes;
  for (const float x : image.values<float>()) bytes.push_back(std::round(x * 255.0f));
  return bytes;
}

std::string error_of(const std::string& file, const data::ImageFileOptions& options = {}) {
  try {
    parse(file, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

/// The sizes in the header of a PNG, and its checksum left wrong or right.
std::string png_of_size(std::string file, const std::string& width_and_height, const std::string& checksum) {
  return file.replace(16, 8, width_and_height).replace(29, 4, checksum);
}

}  // namespace

TEST_CASE("images: PNG gives its pixels") {
  const std::vector<std::uint8_t> gray{0, 50, 100, 150, 200, 255};
  CHECK(parse(png_file(gray, 2, 3, 1), {.channels = 1}).shape() == Shape{2, 3, 1});
  CHECK(bytes_of(parse(png_file(gray, 2, 3, 1), {.channels = 1})) == std::vector<float>{0, 50, 100, 150, 200, 255});
  CHECK(bytes_of(parse(png_file(gray, 1, 2, 3))) == std::vector<float>{0, 50, 100, 150, 200, 255});
  CHECK(bytes_of(parse(png_file({7, 9}, 1, 2, 1))) == std::vector<float>{7, 7, 7, 9, 9, 9});
  // Opaque, and wholly transparent.
  CHECK(bytes_of(parse(png_file({1, 2, 3, 255, 9, 9, 9, 0}, 1, 2, 4))) == std::vector<float>{1, 2, 3, 0, 0, 0});
}

TEST_CASE("images: PNG's numbers are the pixels, whatever the file says about gamma; 16 bits are rounded to 8") {
  const std::vector<std::uint16_t> gray{0, 128, 129, 16384, 32768, 65535};
  for (const double gamma : {0.0, 0.45455, 1.0}) {
    CAPTURE(gamma);
    CHECK(bytes_of(parse(png_file16(gray, 2, 3, 1, gamma), {.channels = 1})) ==
          std::vector<float>{0, 0, 1, 64, 128, 255});
    CHECK(bytes_of(parse(png_file16(gray, 1, 2, 3, gamma))) == std::vector<float>{0, 0, 1, 64, 128, 255});
  }
}

TEST_CASE("images: colours become gray by Rec. 601, from PNG as from JPEG") {
  const std::vector<std::uint8_t> colours{255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 80, 80, 80};
  CHECK(bytes_of(parse(png_file(colours, 1, 5, 3), {.channels = 1})) == std::vector<float>{76, 150, 29, 255, 80});
  for (std::size_t i = 0; i < colours.size(); i += 3) {
    std::vector<std::uint8_t> pixels;  // a block of one colour, which JPEG keeps
    for (int k = 0; k < 64; ++k) pixels.insert(pixels.end(), colours.begin() + i, colours.begin() + i + 3);
    const float jpeg = bytes_of(parse(jpeg_file(pixels, 8, 8, 3), {.channels = 1}))[0];
    const float png = bytes_of(parse(png_file(pixels, 8, 8, 3), {.channels = 1}))[0];
    CHECK(std::abs(jpeg - png) <= 1.0f);
  }
}

TEST_CASE("images: JPEG of inks becomes red, green and blue") {
  // libjpeg writes Adobe's marker, so the numbers are amounts of light: full, no cyan, half black and all black.
  std::vector<std::uint8_t> inks;
  for (int k = 0; k < 64; ++k) inks.insert(inks.end(), {0, 255, 255, 128});
  const std::vector<float> pixels = bytes_of(parse(jpeg_file(inks, 8, 8, 4)));
  CHECK(std::abs(pixels[0] - 0.0f) <= 2.0f);
  CHECK(std::abs(pixels[1] - 128.0f) <= 2.0f);
  CHECK(std::abs(pixels[2] - 128.0f) <= 2.0f);
  CHECK(parse(jpeg_file(inks, 8, 8, 4), {.channels = 1}).shape() == Shape{8, 8, 1});
}

namespace {

/// A JPEG file with an EXIF segment that holds nothing but an orientation.
std::string with_orientation(const std::string& jpeg, int orientation, bool little) {
  const auto number = [&](unsigned value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> 8 * (little ? i : bytes - 1 - i));
    return text;
  };
  std::string exif = std::string("Exif\0\0", 6) + (little ? "II" : "MM") + number(42, 2) + number(8, 4) + number(1, 2);
  exif +=
      number(0x0112, 2) + number(3, 2) + number(1, 4) + number(static_cast<unsigned>(orientation), 2) + number(0, 2);
  exif += number(0, 4);
  const std::size_t length = exif.size() + 2;
  return jpeg.substr(0, 2) + "\xff\xe1" + static_cast<char>(length >> 8) + static_cast<char>(length & 0xff) + exif +
         jpeg.substr(2);
}

}  // namespace

TEST_CASE("images: a JPEG is turned as its EXIF orientation says") {
  // Four blocks in a row of two columns: 1 2 / 3 4, each of one gray.
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 16; ++x)
      pixels.push_back(static_cast<std::uint8_t>(40 * (1 + (y >= 16 ? 2 : 0) + (x >= 8 ? 1 : 0))));
  }
  const std::string jpeg = jpeg_file(pixels, 32, 16, 1);
  // Where blocks 1 to 4 are seen then: the corners, row by row.
  const std::vector<std::vector<float>> seen{{1, 2, 3, 4}, {2, 1, 4, 3}, {4, 3, 2, 1}, {3, 4, 1, 2},
                                             {1, 3, 2, 4}, {3, 1, 4, 2}, {4, 2, 3, 1}, {2, 4, 1, 3}};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const bool little : {false, true}) {
      CAPTURE(orientation);
      const std::string file = with_orientation(jpeg, orientation, little);
      const Tensor image = parse(file, {.channels = 1});
      const std::int64_t height = orientation < 5 ? 32 : 16, width = orientation < 5 ? 16 : 32;
      REQUIRE(image.shape() == Shape{height, width, 1});
      std::vector<float> corners;
      for (const std::int64_t y : {std::int64_t{0}, height - 1}) {
        for (const std::int64_t x : {std::int64_t{0}, width - 1}) {
          corners.push_back(
              std::round(image.values<float>()[static_cast<std::size_t>(y * width + x)] * 255.0f / 40.0f));
        }
      }
      CHECK(corners == seen[static_cast<std::size_t>(orientation - 1)]);
      CHECK(parse(file, {.channels = 1, .upright = false}).shape() == Shape{32, 16, 1});
    }
  }
  for (const int none : {0, 9}) CHECK(parse(with_orientation(jpeg, none, true)).shape() == Shape{32, 16, 3});
}

TEST_CASE("images: JPEG gives its pixels, nearly") {
  for (const int channels : {1, 3}) {
    const auto pixels = smooth(20, 17, channels);
    const Tensor image = parse(jpeg_file(pixels, 20, 17, channels), {.channels = channels});
    REQUIRE(image.shape() == Shape{20, 17, channels});
    for (std::size_t i = 0; i < pixels.size(); ++i) {
      REQUIRE(std::abs(image.values<float>()[i] * 255.0f - static_cast<float>(pixels[i])) < 4.0f);
    }
  }
}

TEST_CASE("images: malformed files") {
  const std::string png = png_file(smooth(40, 30, 3), 40, 30, 3), jpeg = jpeg_file(smooth(40, 30, 3), 40, 30, 3);
  CHECK(error_of("") == "x: image: the file is empty");
  CHECK(error_of("GIF89a...") == "x: image: neither PNG nor JPEG, this is a GIF image");
  CHECK(error_of("<!DOCTYPE html><p>not found") ==
        "x: image: neither PNG nor JPEG, this is an HTML page, as a failed download leaves");
  CHECK(error_of("\1\2\3\4\5") == "x: image: neither PNG nor JPEG, it begins with 01 02 03 04");
  CHECK(error_of("\x89") == "x: image: neither PNG nor JPEG, it begins with 89");
  CHECK(error_of(png, {.max_pixels = 1199}) == "x: png: 40 x 30 pixels, the limit is 1199");
  CHECK(error_of(jpeg, {.max_pixels = 1199}) == "x: jpeg: 40 x 30 pixels, the limit is 1199");
  CHECK(error_of(png, {.channels = 2}) == "image: 2 channels, expected 1 (gray) or 3");
  // Width 0; sizes of which the product overflows, or is too large. The checksums are those of the damaged headers.
  const std::string zero("\0\0\0\0\0\0\0\x28", 8), huge("\x7f\xff\xff\xff\x7f\xff\xff\xff", 8);
  CHECK(error_of(png_of_size(png, zero, png.substr(29, 4))).starts_with("x: png: "));
  CHECK(error_of(png_of_size(png, huge, png.substr(29, 4))).starts_with("x: png: "));
  CHECK(error_of(temper_test::jpeg_of_many_scans(smooth(8, 8, 1), 8, 8)) == "x: jpeg: more than 100 scans");
  // More pixels than so few bytes can hold.
  std::string large = jpeg_file(smooth(8, 8, 1), 8, 8, 1);
  const std::size_t header = large.find("\xff\xc0");
  REQUIRE(header != std::string::npos);
  large.replace(header + 5, 4, "\x20\x00\x20\x00", 4);
  CHECK(error_of(large).starts_with("x: jpeg: 8192 x 8192 pixels cannot be in "));
  std::string no_height = jpeg;
  const std::size_t frame = no_height.find("\xff\xc0");
  REQUIRE(frame != std::string::npos);
  no_height.replace(frame + 5, 2, std::string(2, '\0'));
  CHECK(error_of(no_height) == "x: jpeg: Empty JPEG image (DNL not supported)");
  // Cut anywhere, but for the last bytes, which only say that it ends.
  for (std::size_t length = 0; length + 12 < png.size(); length += 7) {
    CHECK(error_of(png.substr(0, length)).starts_with("x: "));
  }
  for (std::size_t length = 0; length + 2 < jpeg.size(); length += 7) {
    CHECK(error_of(jpeg.substr(0, length)).starts_with("x: "));
  }
  // A flipped bit of compressed data: PNG has checksums.
  std::string damaged = png;
  damaged[png.size() / 2] = static_cast<char>(damaged[png.size() / 2] ^ 1);
  CHECK(error_of(damaged).starts_with("x: png: "));
}

TEST_CASE("image folder: classes by name, files by path, resized") {
  const Folder folder;
  std::filesystem::create_directories(folder / "b-dogs");
  std::filesystem::create_directories(folder / "a-cats");
  folder.write("b-dogs/2.PNG", png_file(smooth(6, 4, 3), 6, 4, 3));
  folder.write("b-dogs/1.jpg", jpeg_file(smooth(6, 4, 3), 6, 4, 3));
  folder.write("a-cats/z.jpeg", jpeg_file(smooth(8, 8, 1), 8, 8, 1));
  folder.write("a-cats/notes.txt", "not an image");
  folder.write("readme.png", "not in a class");
  const data::ImageFolder pictures(folder.path(), {.height = 4, .width = 4});
  CHECK(pictures.size() == 3);
  CHECK(pictures.class_names() == std::vector<std::string>{"a-cats", "b-dogs"});
  CHECK(pictures.path(1).filename() == "1.jpg");
  CHECK(pictures.label(2) == 1);
  for (const int workers : {0, 2}) {
    data::Loader loader(pictures, {.batch_size = 3, .workers = workers});
    for (const auto& [images, labels] : loader) {
      CHECK(images.shape() == Shape{3, 4, 4, 3});
      CHECK(std::ranges::equal(labels.values<std::int64_t>(), std::vector<std::int64_t>{0, 1, 1}));
    }
  }
  const data::ImageFolder as_they_are(folder.path(), {.channels = 1});
  CHECK(std::get<0>(as_they_are.get(2)).shape() == Shape{6, 4, 1});
  data::Loader ragged(as_they_are, {.batch_size = 3});
  CHECK_THROWS_WITH_AS(ragged.begin(), "loader: example 1 is f32 [6, 4, 1], but the batch began with f32 [8, 8, 1]",
                       ShapeError);
  CHECK_THROWS_WITH_AS(pictures.get(3), "images: image 3 of 3", ValueError);
  folder.write("a-cats/z.jpeg", "broken");
  CHECK_THROWS_WITH_AS(
      pictures.get(0),
      ((folder / "a-cats/z.jpeg").native() + ": image: neither PNG nor JPEG, it begins with 62 72 6f 6b").c_str(),
      FileError);
}

TEST_CASE("image folder: hidden entries are no classes, deeper pictures are read, other formats are said") {
  const Folder folder;
  const std::string picture = png_file(smooth(2, 2, 3), 2, 2, 3);
  for (const char* name : {"a", "a/more/deep", "b", ".ipynb_checkpoints", "__MACOSX/a"}) {
    std::filesystem::create_directories(folder / name);
  }
  for (const char* name : {"a/2.png", "a/more/deep/1.png", "b/3.png", ".ipynb_checkpoints/4.png", "b/._3.png",
                           "__MACOSX/a/5.png", "b/Thumbs.db"}) {
    folder.write(name, picture);
  }
  const data::ImageFolder pictures(folder.path());
  CHECK(pictures.class_names() == std::vector<std::string>{"a", "b"});
  REQUIRE(pictures.size() == 3);
  CHECK(pictures.path(0) == folder / "a/2.png");
  CHECK(pictures.path(1) == folder / "a/more/deep/1.png");
  CHECK(pictures.label(1) == 0);
  CHECK(pictures.label(2) == 1);

  folder.write("a/more/6.WebP", "RIFF");
  CHECK_THROWS_WITH_AS(data::ImageFolder{folder.path()},
                       (folder.path().native() + ": 1 images are neither PNG nor JPEG, the first is a/more/6.WebP; "
                                                 "convert them, or set .skip_other_formats")
                           .c_str(),
                       FileError);
  CHECK(data::ImageFolder(folder.path(), {.skip_other_formats = true}).size() == 3);

  std::filesystem::create_directory_symlink("..", folder / "b/up");
  CHECK_THROWS_AS(data::ImageFolder(folder.path(), {.skip_other_formats = true}), FileError);
  std::filesystem::remove(folder / "b/up");
  std::filesystem::create_symlink("self", folder / "b/self");
  CHECK_THROWS_WITH_AS(data::ImageFolder(folder.path(), {.skip_other_formats = true}),
                       doctest::Contains("cannot be looked at: Too many levels of symbolic links"), FileError);
}

TEST_CASE("image folder: what does not fit") {
  const Folder folder;
  const std::string root = folder.path().native();
  CHECK_THROWS_WITH_AS(data::ImageFolder{folder.path()}, (root + ": no folders, expected one for each class").c_str(),
                       FileError);
  std::filesystem::create_directories(folder / "empty");
  CHECK_THROWS_WITH_AS(data::ImageFolder{folder.path()},
                       (root + "/empty: no PNG or JPEG images in the folder of a class").c_str(), FileError);
  CHECK_THROWS_WITH_AS(data::ImageFolder{folder / "none"},
                       (root + "/none: cannot list the folder: No such file or directory").c_str(), FileError);
  CHECK_THROWS_WITH_AS(data::ImageFolder(folder.path(), {.height = 3}),
                       "images: resize to 3 x 0, expected both or none", ValueError);
  CHECK_THROWS_WITH_AS(data::ImageFolder(folder.path(), {.channels = 4}), "images: 4 channels, expected 1 (gray) or 3",
                       ValueError);
}

TEST_CASE("images: a PNG cannot announce more pixels than its bytes can hold") {
  std::string png = png_file(smooth(4, 3, 1), 4, 3, 1);
  png.replace(16, 8, std::string("\0\0\x10\0\0\0\x10\0", 8));  // 4096 x 4096, with the right checksum
  const auto crc = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(png.data() + 12), 17));
  for (int i = 0; i < 4; ++i) png[static_cast<std::size_t>(29 + i)] = static_cast<char>(crc >> (24 - 8 * i));
  CHECK(error_of(png) == "x: png: 4096 x 4096 pixels cannot be in " + std::to_string(png.size()) + " bytes");
}
