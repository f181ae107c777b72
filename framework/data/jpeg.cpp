#include <csetjmp>
#include <cstdio>  // jpeglib.h needs it first

#include <jpeglib.h>

#include <jerror.h>  // needs it

#include <array>
#include <utility>

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

/// No encoder writes more passes over a picture; a small file can ask for thousands.
constexpr int most_scans = 100;

void on_progress(j_common_ptr state) {
  if (reinterpret_cast<j_decompress_ptr>(state)->input_scan_number <= most_scans) return;
  auto* handler = reinterpret_cast<Handler*>(state->err);
  std::snprintf(handler->text.data(), handler->text.size(), "more than %d scans", most_scans);
  std::longjmp(handler->target, 1);
}

/// The three steps of reading, each with a jump of its own. False: the handler has the text.
class Decoder {
 public:
  Decoder() {
    state_.err = jpeg_std_error(&handler_.base);
    handler_.base.error_exit = on_error;
    handler_.base.emit_message = on_message;
    handler_.base.output_message = no_output;
    jpeg_create_decompress(&state_);
    progress_.progress_monitor = on_progress;
    state_.progress = &progress_;
  }
  ~Decoder() { jpeg_destroy_decompress(&state_); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  bool read_header(std::span<const std::byte> file) {
    if (setjmp(handler_.target)) return false;
    jpeg_mem_src(&state_, reinterpret_cast<const unsigned char*>(file.data()), static_cast<unsigned long>(file.size()));
    jpeg_save_markers(&state_, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&state_, TRUE);
    return true;
  }
  /// libjpeg turns every colour space but CMYK into the one that is wanted.
  bool start(bool gray) {
    if (setjmp(handler_.target)) return false;
    state_.out_color_space = is_cmyk() ? JCS_CMYK : gray ? JCS_GRAYSCALE : JCS_RGB;
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

  bool is_cmyk() const { return state_.jpeg_color_space == JCS_CMYK || state_.jpeg_color_space == JCS_YCCK; }
  /// Adobe's programs store the amount of light where others store the amount of ink.
  bool inverted() const { return state_.saw_Adobe_marker; }
  bool arithmetic() const { return state_.arith_code; }
  std::int64_t height() const { return state_.image_height; }
  std::int64_t width() const { return state_.image_width; }
  int orientation() const {
    const jpeg_saved_marker_ptr marker = state_.marker_list;
    if (marker == nullptr) return 1;
    return exif_orientation(std::as_bytes(std::span(marker->data, marker->data_length)));
  }
  const char* text() const { return handler_.text.data(); }

 private:
  jpeg_decompress_struct state_{};
  jpeg_progress_mgr progress_{};
  Handler handler_{};
};

Pixels from_cmyk(const Pixels& ink, bool inverted, std::int64_t channels) {
  Pixels image(ink.height, ink.width, channels);
  std::uint8_t* out = image.values.data();
  for (std::size_t i = 0; i < ink.values.size(); i += 4, out += channels) {
    const auto amount = [&](std::size_t c) {
      const unsigned value = ink.values[i + c];
      return inverted ? 255 - value : value;
    };
    const unsigned light = 255 - amount(3);
    const auto left = [&](std::size_t c) { return light - rounded_product(amount(c), light); };
    put_rgb(left(0), left(1), left(2), channels, out);
  }
  return image;
}

}  // namespace

Pixels decode_jpeg(std::span<const std::byte> file, std::int64_t channels, std::int64_t max_pixels, bool turn) {
  Decoder decoder;
  if (!decoder.read_header(file)) fail<FileError>("jpeg: {}", decoder.text());
  const std::int64_t height = decoder.height(), width = decoder.width();
  check_size("jpeg", height, width, max_pixels);
  // A block of 8 x 8 pixels takes a bit at least, but for arithmetic coding, which is rare.
  if (!decoder.arithmetic() && static_cast<std::uint64_t>(height * width) / 512 > file.size()) {
    fail<FileError>("jpeg: {} x {} pixels cannot be in {} bytes", height, width, file.size());
  }
  const int orientation = turn ? decoder.orientation() : 1;  // finishing forgets it
  if (!decoder.start(channels == 1)) fail<FileError>("jpeg: {}", decoder.text());
  Pixels image(height, width, decoder.is_cmyk() ? 4 : channels);
  if (!decoder.read_rows(image.values.data())) fail<FileError>("jpeg: {}", decoder.text());
  if (decoder.is_cmyk()) image = from_cmyk(image, decoder.inverted(), channels);
  return upright(std::move(image), orientation);
}

}  // namespace temper::detail
