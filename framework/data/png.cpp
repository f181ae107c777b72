#include <png.h>

#include <array>
#include <csetjmp>
#include <cstring>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/data/pixels_internal.hpp"

namespace temper::detail {

namespace {

/// libpng reports an error by a function that must not return. An exception cannot pass through its C frames; a jump
/// can, so what is between the jump and its target has nothing to destroy.
struct Handler {
  std::jmp_buf target;
  std::array<char, 200> text{};
  std::span<const std::byte> rest;
};

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  auto* handler = static_cast<Handler*>(png_get_error_ptr(png));
  std::strncpy(handler->text.data(), text, handler->text.size() - 1);
  std::longjmp(handler->target, 1);
}

void no_output(png_structp, png_const_charp) {}

void take_bytes(png_structp png, png_bytep out, std::size_t count) {
  auto* handler = static_cast<Handler*>(png_get_io_ptr(png));
  if (count > handler->rest.size()) png_error(png, "the file is cut off");
  std::memcpy(out, handler->rest.data(), count);
  handler->rest = handler->rest.subspan(count);
}

/// The two steps of reading, each with a jump of its own. False: the handler has the text.
class Decoder {
 public:
  explicit Decoder(std::span<const std::byte> file) {
    handler_.rest = file;
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &handler_, on_error, no_output);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      fail<OutOfMemoryError>("png: not enough memory");
    }
  }
  ~Decoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool read_header() {
    if (setjmp(handler_.target)) return false;
    png_set_read_fn(png_, &handler_, take_bytes);
    png_read_info(png_, info_);
    return true;
  }

  /// Whatever the file holds becomes 8-bit red, green, blue and alpha. Nothing is asked about gamma or colour spaces:
  /// the numbers that the file holds are the pixels.
  bool read_rows(png_bytepp rows) {
    if (setjmp(handler_.target)) return false;
    png_set_scale_16(png_);
    png_set_expand(png_);
    png_set_gray_to_rgb(png_);
    png_set_add_alpha(png_, 0xff, PNG_FILLER_AFTER);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != width() * rgba) png_error(png_, "pixels of a kind that is not known");
    png_read_image(png_, rows);
    png_read_end(png_, nullptr);
    return true;
  }

  static constexpr std::size_t rgba = 4;
  std::size_t width() const { return png_get_image_width(png_, info_); }
  std::size_t height() const { return png_get_image_height(png_, info_); }
  const char* text() const { return handler_.text.data(); }

 private:
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  Handler handler_;
};

}  // namespace

Pixels decode_png(std::span<const std::byte> file, std::int64_t channels, std::int64_t max_pixels) {
  Decoder decoder(file);
  if (!decoder.read_header()) fail<FileError>("png: {}", decoder.text());
  const std::size_t height = decoder.height(), width = decoder.width();
  check_size("png", static_cast<std::int64_t>(height), static_cast<std::int64_t>(width), max_pixels);
  // Deflate packs at best 258 bytes into two bits, a byte holds at most 8 pixels.
  if (height * width > std::uint64_t{file.size()} * 1032 * 8) {
    fail<FileError>("png: {} x {} pixels cannot be in {} bytes", height, width, file.size());
  }
  std::vector<png_byte> all(height * width * Decoder::rgba);
  std::vector<png_bytep> rows(height);
  for (std::size_t y = 0; y < height; ++y) rows[y] = all.data() + y * width * Decoder::rgba;
  if (!decoder.read_rows(rows.data())) fail<FileError>("png: {}", decoder.text());

  Pixels image(static_cast<std::int64_t>(height), static_cast<std::int64_t>(width), channels);
  std::uint8_t* out = image.values.data();
  for (const png_byte* p = all.data(); p != all.data() + all.size(); p += Decoder::rgba, out += channels) {
    const auto on_black = [&](int c) { return rounded_product(p[c], p[3]); };
    put_rgb(on_black(0), on_black(1), on_black(2), channels, out);
  }
  return image;
}

}  // namespace temper::detail
