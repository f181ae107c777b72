#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it first

#include <jpeglib.h>

#include <jerror.h>  // needs it

#include <array>
#include <string>

#include "framework/core/format_internal.hpp"
#include "framework/data/pixels_internal.hpp"

namespace temper::detail {

namespace {

/// libjpeg reports an error by a function that must not return. An exception cannot pass through its C frames; a jump
/// can, so what is between the jump and its target has nothing to destroy.
struct Handler {
  jpeg_error_mgr base;  // first: libjpeg knows no more
  std::jmp_buf target;
  std::array<char, JMSG_LENGTH_MAX> text;
};

[[noreturn]] void on_error(j_common_ptr state) {
  auto* handler = reinterpret_cast<Handler*>(state->err);
  handler->base.format_message(state, handler->text.data());
  std::longjmp(handler->target, 1);
}

/// Warnings (level -1) are of damage that libjpeg would paint over with gray; but bytes that mean nothing between its
/// parts, and a version from the future, harm no picture.
void on_message(j_common_ptr state, int level) {
  const int code = state->err->msg_code;
  if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_JFIF_MAJOR) on_error(state);
}

void no_output(j_common_ptr) {}

/// The three steps of reading, each with a jump of its own. False: the handler has the text.
class Decoder {
 public:
  Decoder() {
    state_.err = jpeg_std_error(&handler_.base);
    handler_.base.error_exit = on_error;
    handler_.base.emit_message = on_message;
    handler_.base.output_message = no_output;
    jpeg_create_decompress(&state_);
  }
  ~Decoder() { jpeg_destroy_decompress(&state_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool read_header(const unsigned char* bytes, unsigned long count) {
    if (setjmp(handler_.target)) return false;
    jpeg_mem_src(&state_, bytes, count);
    jpeg_read_header(&state_, TRUE);
    return true;
  }
  bool start(bool gray) {
    if (setjmp(handler_.target)) return false;
    state_.out_color_space = gray ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_start_decompress(&state_);
    return true;
  }
  bool read_rows(unsigned char* pixels) {
    if (setjmp(handler_.target)) return false;
    const std::size_t row = std::size_t{state_.output_width} * static_cast<std::size_t>(state_.output_components);
    while (state_.output_scanline < state_.output_height) {
      JSAMPROW target = pixels + row * state_.output_scanline;
      jpeg_read_scanlines(&state_, &target, 1);
    }
    jpeg_finish_decompress(&state_);
    return true;
  }

  const jpeg_decompress_struct& state() const { return state_; }
  const char* text() const { return handler_.text.data(); }

 private:
  jpeg_decompress_struct state_{};
  Handler handler_{};
};

}  // namespace

Pixels decode_jpeg(std::span<const std::byte> file, std::int64_t channels, std::int64_t max_pixels) {
  Decoder decoder;
  const auto* bytes = reinterpret_cast<const unsigned char*>(file.data());
  if (!decoder.read_header(bytes, static_cast<unsigned long>(file.size()))) fail<FileError>("jpeg: {}", decoder.text());
  Pixels image{decoder.state().image_height, decoder.state().image_width, channels, {}};
  if (image.height * image.width > max_pixels) {
    fail<FileError>("jpeg: {} x {} pixels, the limit is {}", image.height, image.width, max_pixels);
  }
  if (!decoder.start(channels == 1)) fail<FileError>("jpeg: {}", decoder.text());
  image.values.resize(static_cast<std::size_t>(image.height * image.width * channels));
  if (!decoder.read_rows(image.values.data())) fail<FileError>("jpeg: {}", decoder.text());
  return image;
}

}  // namespace temper::detail
