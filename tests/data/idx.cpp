#include <doctest/doctest.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <temper/core/errors.hpp>
#include <temper/data/idx.hpp>
#include <temper/data/image_dataset.hpp>

#include "framework/data/gzip_internal.hpp"
#include "tests/data/files.hpp"

using namespace temper;
using namespace temper::data;
using temper_test::Folder;

namespace {

using Bytes = std::string;

Bytes word(std::uint32_t value) {  // big-endian
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

Bytes little(std::uint32_t value) {
  const Bytes big = word(value);
  return {big.rbegin(), big.rend()};
}

Bytes idx(int type, std::initializer_list<std::uint32_t> sizes, const Bytes& data) {
  Bytes file{0, 0, static_cast<char>(type), static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes) file += word(size);
  return file + data;
}

Bytes counted(std::size_t count) {
  Bytes data(count, '\0');
  for (std::size_t i = 0; i < count; ++i) data[i] = static_cast<char>(i);
  return data;
}

Bytes deflated(const Bytes& data) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  Bytes out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::uint32_t crc_of(const Bytes& data) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(data.data()), data.size()));
}

/// 1f 8b, method, flags, time, extra flags, system
Bytes gzip_header(int flags = 0, int method = 8) {
  return Bytes("\x1f\x8b") + static_cast<char>(method) + static_cast<char>(flags) + Bytes(4, '\0') + Bytes("\0\x03", 2);
}

Bytes gzip_trailer(const Bytes& data) { return little(crc_of(data)) + little(static_cast<std::uint32_t>(data.size())); }

Bytes gzip(const Bytes& data, const Bytes& header = gzip_header()) {
  return header + deflated(data) + gzip_trailer(data);
}

std::span<const std::byte> view(const Bytes& bytes) { return std::as_bytes(std::span(bytes.data(), bytes.size())); }

IdxArray parse(const Bytes& file, std::string_view name = "images", const IdxOptions& options = {}) {
  return parse_idx(view(file), name, options);
}

std::string error_of(const Bytes& file, std::string_view name, const IdxOptions& options = {}) {
  try {
    parse(file, name, options);
  } catch (const FileError& error) {
    return error.what();
  }
  return "accepted";
}

struct Bad {
  const char* what;
  Bytes file;
  const char* text;
};

void check_rejected(const std::vector<Bad>& cases, std::string_view name, std::size_t count) {
  CHECK(cases.size() == count);
  for (const Bad& bad : cases) {
    CAPTURE(bad.what);
    const std::string error = error_of(bad.file, name);
    CHECK_MESSAGE(error.starts_with(std::string(name) + ": "), error);
    CHECK_MESSAGE(error.find(bad.text) != std::string::npos, error);
  }
}

const Bytes good = idx(0x08, {2, 3}, counted(6));

}  // namespace

TEST_CASE("idx: well-formed files, plain and compressed") {
  for (const Bytes& file : {good, gzip(good)}) {
    const IdxArray array = parse(file);
    CHECK(array.type == IdxType::u8);
    CHECK(array.shape == Shape{2, 3});
    CHECK(array.tensor().values<std::int64_t>()[5] == 5);
  }
  // Every optional part of a gzip header, its checksum included.
  Bytes full = gzip_header(2 | 4 | 8 | 16) + Bytes("\x03\0abc", 5) + Bytes("name\0", 5) + Bytes("comment\0", 8);
  full += little(crc_of(full) & 0xffff).substr(0, 2);
  CHECK(parse(gzip(good, full), "images.gz").shape == Shape{2, 3});
}

TEST_CASE("idx: several gzip members are one file, wherever they were cut") {
  for (std::size_t cut = 0; cut <= good.size(); ++cut) {
    const Bytes file = gzip(good.substr(0, cut)) + gzip("") + gzip(good.substr(cut));
    CHECK(parse(file, "images.gz").bytes == parse(good).bytes);
  }
}

TEST_CASE("idx: every element type, from big-endian") {
  CHECK(parse(idx(0x09, {1}, "\xff")).tensor().item() == -1);
  CHECK(parse(idx(0x0B, {1}, Bytes("\xff\xfe", 2))).tensor().item() == -2);
  CHECK(parse(idx(0x0C, {1}, word(0x01020304))).tensor().item() == 0x01020304);
  CHECK(parse(idx(0x0D, {1}, word(0x3fc00000))).tensor().item() == 1.5);
  CHECK(parse(idx(0x0E, {1}, word(0x3ff80000) + word(0))).tensor().item() == 1.5);
  CHECK(parse(idx(0x0D, {1}, word(0x3fc00000))).tensor().dtype() == Dtype::f32);
}

TEST_CASE("idx: malformed IDX files") {
  Bytes swapped{0, 0, 0x08, 2};
  swapped += little(2) + little(3) + counted(6);
  check_rejected(
      {
          {"empty", "", "idx: the file is empty"},
          {"shorter than its first word", good.substr(0, 3), "idx: 3 bytes, expected at least 4"},
          {"does not begin with zeros", "\x08\x01" + good.substr(2), "idx: begins with 08 01, expected 00 00"},
          {"unknown element type", idx(0x0A, {2, 3}, counted(6)), "idx: unknown element type 0a"},
          {"no axes", idx(0x08, {}, counted(6)), "idx: 0 axes, expected 1 to 8"},
          {"nine axes", idx(0x08, {1, 1, 1, 1, 1, 1, 1, 1, 6}, counted(6)), "idx: 9 axes, expected 1 to 8"},
          {"cut within the sizes", good.substr(0, 10), "idx: ends within the header, at the size of axis 1 of 2"},
          {"size 0", idx(0x08, {2, 0}, ""), "idx: axis 1 has size 0"},
          {"sizes overflow", idx(0x08, {~0u, ~0u, ~0u, ~0u}, counted(6)), "overflow 64 bits"},
          {"more announced than there is", idx(0x08, {2, 4}, counted(6)), "need 8 bytes, the file holds at most 6"},
          {"less announced than there is", idx(0x08, {2, 2}, counted(6)), "idx: 2 bytes after the 4"},
          {"little-endian sizes", swapped, "the sizes look little-endian"},
      },
      "images", 12);
  // The last two of the fourteen are of images and labels together: see the image data set's test.
}

TEST_CASE("idx: malformed gzip files") {
  const Bytes packed = deflated(good);
  Bytes wrong_crc = gzip(good), wrong_size = gzip(good);
  wrong_crc[wrong_crc.size() - 8] ^= 1;
  wrong_size[wrong_size.size() - 4] ^= 1;
  const Bytes bomb = gzip(idx(0x08, {2, 3}, counted(6)) + Bytes(100'000'000, '\0'));
  CHECK(bomb.size() < 200'000);
  check_rejected(
      {
          {"empty", "", "gzip: the file is empty"},
          {"not gzip", good, "gzip: not a gzip file"},
          {"header cut", gzip_header().substr(0, 9), "gzip: the file is cut off after 0 bytes of data"},
          {"extra field past the end", gzip_header(4) + "\xff\xff" + packed, "gzip: the file is cut off"},
          {"name without end", gzip_header(8) + "name", "gzip: the file is cut off"},
          {"reserved flags", gzip(good, gzip_header(0x20)),
           "gzip: damaged after 0 bytes of data: unknown header flags"},
          {"another method", gzip(good, gzip_header(0, 7)), "unknown compression method"},
          {"body cut", gzip_header() + packed.substr(0, packed.size() - 3), "gzip: the file is cut off"},
          {"no trailer", gzip_header() + packed, "gzip: the file is cut off after 18 bytes of data"},
          {"wrong checksum", wrong_crc, "gzip: damaged after 18 bytes of data: incorrect data check"},
          {"wrong length", wrong_size, "gzip: damaged after 18 bytes of data: incorrect length check"},
          {"garbage after the end", gzip(good) + "abc", "gzip: 3 bytes of garbage after the end"},
          {"zeros after the end", gzip(good) + Bytes(5, '\0'), "gzip: 5 zero bytes after the end"},
          {"more data in a second member", gzip(good) + gzip(good), "gzip: more data than the 18 bytes expected"},
          {"second member cut", gzip(good.substr(0, 9)) + gzip(good.substr(9)).substr(0, 12),
           "gzip: the file is cut off"},
          {"more data than announced, a hundred million times", bomb, "gzip: more data than the 18 bytes expected"},
          {"distance before the beginning", gzip_header() + "\x03\x02" + gzip_trailer(good),
           "gzip: damaged after 0 bytes of data: invalid distance too far back"},
          {"stored block of two lengths", gzip_header() + Bytes("\x01\x05\x00\x00\x00", 5),
           "invalid stored block lengths"},
          {"header checksum", gzip(good, gzip_header(2) + "zz"), "header crc mismatch"},
          {"comment without end", gzip_header(16) + "comment", "gzip: the file is cut off"},
      },
      "images.gz", 20);
}

TEST_CASE("idx: less data in the archive than the header announces") {
  const std::string error = error_of(gzip(idx(0x08, {2, 4}, counted(6))), "images.gz");
  CHECK_MESSAGE(error.find("idx: [2, 4] needs 8 bytes, the file has 6") != std::string::npos, error);
}

TEST_CASE("idx: nothing is allocated for what cannot be there") {
  // A small archive may announce at most what deflate could pack into it; and nothing exceeds the limit.
  const std::string error = error_of(gzip(idx(0x08, {1u << 31}, "")), "images.gz");
  CHECK_MESSAGE(error.find("need 2147483648 bytes, the file holds at most") != std::string::npos, error);
  const std::string limited = error_of(good, "images", {.max_bytes = 5});
  CHECK_MESSAGE(limited.find("need 6 bytes, the limit is 5") != std::string::npos, limited);
}

TEST_CASE("idx: names from outside are shown escaped") {
  CHECK(error_of("", "a\nb") == "a\\x0ab: idx: the file is empty");
}

TEST_CASE("idx: every cut of a file is rejected, and every flipped bit of an archive seen") {
  const Bytes archive = gzip(good);
  for (std::size_t length = 0; length < good.size(); ++length)
    CHECK_THROWS_AS(parse(good.substr(0, length)), FileError);
  for (std::size_t length = 0; length < archive.size(); ++length) {
    CHECK_THROWS_AS(parse(archive.substr(0, length), "a.gz"), FileError);
  }
  int unseen = 0;
  for (std::size_t bit = 0; bit < archive.size() * 8; ++bit) {
    Bytes damaged = archive;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    try {
      const IdxArray array = parse(damaged, "a.gz");
      ++unseen;
      CHECK(array.bytes == parse(good).bytes);
    } catch (const FileError&) {
    }
  }
  // The header's time and system mean nothing to us, nor whether it calls itself text; nor the bits that fill up the
  // last byte of the compressed data.
  const int meaningless = 6 * 8 + 1;
  CHECK(unseen >= meaningless);
  CHECK(unseen < meaningless + 8);
}

TEST_CASE("image data set: files that do not fit each other") {
  const Folder folder;
  const auto error = [&](const Bytes& images, const Bytes& labels) -> std::string {
    try {
      const ImageDataset dataset(folder.write("images", images), folder.write("labels", labels), {.classes = 10});
    } catch (const FileError& failure) {
      return failure.what();
    }
    return "accepted";
  };
  const Bytes images = idx(0x08, {2, 1, 3}, counted(6)), labels = idx(0x08, {2}, "\x09\x01");
  CHECK(error(images, labels) == "accepted");
  CHECK(error(images, idx(0x08, {3}, counted(3))).find("has 2 images") != std::string::npos);
  CHECK(error(images, idx(0x08, {3}, counted(3))).find("has 3 labels") != std::string::npos);
  CHECK(error(images, idx(0x08, {2}, "\x09\x0a")).find("label 10 of image 1, expected 0 to 9") != std::string::npos);
  CHECK(error(labels, labels).find("expected images [N, H, W]") != std::string::npos);
  CHECK(error(images, images).find("expected labels [N] of type 08") != std::string::npos);
  CHECK(error(idx(0x09, {2, 1, 3}, counted(6)), labels).find("of type 09") != std::string::npos);
}

TEST_CASE("image data set: pixels are normalized as documented") {
  const ImageDataset dataset({2, 1, 1, 3}, {0, 51, 255, 1, 2, 3}, {4, 7}, {.mean = 0.2f, .deviation = 0.5f});
  const auto [image, label] = dataset.get(0);
  CHECK(image.shape() == Shape{1, 1, 3});
  CHECK(image.values<float>()[0] == (0.0f - 0.2f) / 0.5f);
  CHECK(image.values<float>()[1] == (51.0f / 255.0f - 0.2f) / 0.5f);
  CHECK(image.values<float>()[2] == (1.0f - 0.2f) / 0.5f);
  CHECK(label.shape() == Shape{});
  CHECK(label.item() == 4);
  const std::array<std::int64_t, 3> order{1, 0, 1};
  const auto [images, labels] = dataset.batch(order);
  CHECK(images.shape() == Shape{3, 1, 1, 3});
  CHECK(images.values<float>()[4] == image.values<float>()[1]);
  CHECK(labels.values<std::int64_t>()[2] == 7);
  CHECK(dataset.label(1) == 7);
  CHECK(dataset.pixels(1)[2] == 3);
}

TEST_CASE("image data set: arguments are checked") {
  CHECK_THROWS_WITH_AS(ImageDataset({2, 1, 3}, std::vector<std::uint8_t>(6), {0, 0}),
                       "images: 6 pixels for shape [2, 1, 3], expected [N, H, W, C] with as many elements", ShapeError);
  CHECK_THROWS_WITH_AS(ImageDataset({2, 1, 3, 1}, std::vector<std::uint8_t>(6), {0}), "images: 1 labels for 2 images",
                       ShapeError);
  CHECK_THROWS_WITH_AS(ImageDataset({1, 1, 1, 1}, {0}, {-1}), "images: label -1 of image 0, expected 0 or more",
                       ValueError);
  CHECK_THROWS_AS(ImageDataset({1, 1, 1, 1}, {0}, {0}, {.deviation = 0.0f}), ValueError);
  const ImageDataset dataset({1, 1, 1, 1}, {0}, {0});
  CHECK_THROWS_WITH_AS(dataset.get(1), "images: image 1 of 1", ValueError);
  CHECK_THROWS_AS(dataset.get(-1), ValueError);
}
