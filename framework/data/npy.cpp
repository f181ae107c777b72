#include <fmt/ranges.h>

#include <array>
#include <bit>
#include <charconv>
#include <utility>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/file_kind_internal.hpp"
#include "framework/data/npy_internal.hpp"

namespace temper::detail {

static_assert(std::endian::native == std::endian::little, "elements are swapped to little-endian");

namespace {

constexpr std::string_view magic = "\x93NUMPY";
constexpr std::size_t alignment = 64;
constexpr std::uint32_t longest_header = 1 << 16;  // NumPy itself refuses to read more than 10,000 bytes

/// The header's text, which is a dictionary as Python writes it.
class Dictionary {
 public:
  explicit Dictionary(std::string_view text) : text_(text) {}

  NpyHeader read() {
    expect('{');
    while (!next_is('}')) {
      const std::string_view key = word();
      expect(':');
      entry(key);
      if (!next_is(',') && !next_is('}', false)) wrong("',' or '}'");
    }
    skip_blanks();
    if (place_ != text_.size()) wrong("nothing after the dictionary");
    using Entry = std::pair<bool, const char*>;
    for (const auto& [present, name] :
         {Entry{has_descr_, "descr"}, Entry{has_order_, "fortran_order"}, Entry{has_shape_, "shape"}}) {
      if (!present) fail<FileError>("npy: the header has no '{}'", name);
    }
    return header_;
  }

 private:
  void entry(std::string_view key) {
    if (key == "descr") {
      once(has_descr_, key);
      if (next_is('[', false))
        fail<FileError>("npy: a structured array, which has names for its fields; save each field");
      element(word());
    } else if (key == "fortran_order") {
      once(has_order_, key);
      header_.fortran_order = truth();
    } else if (key == "shape") {
      once(has_shape_, key);
      shape();
    } else {
      fail<FileError>("npy: the header has '{}', expected descr, fortran_order and shape", printable(key));
    }
  }

  static void once(bool& seen, std::string_view key) {
    if (seen) fail<FileError>("npy: the header has '{}' twice", key);
    seen = true;
  }

  void element(std::string_view descr) {
    std::string_view rest = descr;
    const bool ordered = !rest.empty() && std::string_view("<>|=").find(rest[0]) != std::string_view::npos;
    const char order = ordered ? rest[0] : '=';
    if (ordered) rest.remove_prefix(1);
    const char kind = rest.empty() ? '\0' : rest[0];
    std::size_t bytes = 0;
    if (!rest.empty()) {
      const auto [end, error] = std::from_chars(rest.data() + 1, rest.data() + rest.size(), bytes);
      if (error != std::errc() || end != rest.data() + rest.size()) bytes = 0;
    }
    const bool known = (kind == 'b' && bytes == 1) || (kind == 'V' && bytes == 2) ||
                       ((kind == 'i' || kind == 'u') && (bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8)) ||
                       (kind == 'f' && (bytes == 2 || bytes == 4 || bytes == 8));
    if (!known) {
      const char* what = kind == 'O'                                 ? "pickled Python objects"
                         : kind == 'c'                               ? "complex numbers"
                         : kind == 'S' || kind == 'U' || kind == 'a' ? "texts"
                         : kind == 'M' || kind == 'm'                ? "dates or times"
                                                                     : "elements of an unknown kind";
      fail<FileError>("npy: '{}' are {}; bool, integers, f2, f4, f8 and bfloat16 (V2) can be read", printable(descr),
                      what);
    }
    header_.kind = kind;
    header_.bytes = bytes;
    header_.swapped = order == '>' && bytes > 1;
  }

  bool truth() {
    skip_blanks();
    for (const bool value : {true, false}) {
      const std::string_view name = value ? "True" : "False";
      if (text_.substr(place_).starts_with(name)) {
        place_ += name.size();
        return value;
      }
    }
    wrong("True or False");
  }

  void shape() {
    std::vector<std::int64_t> sizes;
    expect('(');
    while (!next_is(')')) {
      sizes.push_back(number());
      if (!next_is(',')) {
        if (!next_is(')', false)) wrong("',' or ')'");
        if (sizes.size() == 1) wrong("',' as Python writes a tuple of one");
      }
    }
    if (sizes.size() > static_cast<std::size_t>(Shape::max_rank)) {
      fail<FileError>("npy: {} axes, a tensor has at most {}", sizes.size(), static_cast<int>(Shape::max_rank));
    }
    try {
      header_.shape = Shape(std::span<const std::int64_t>(sizes));
    } catch (const ShapeError& error) {
      fail<FileError>("npy: {}", error.what());
    }
  }

  std::int64_t number() {
    skip_blanks();
    std::int64_t value = 0;
    const char* const begin = text_.data() + place_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) wrong("a size from 0 to 2^63 - 1");
    place_ += static_cast<std::size_t>(end - begin);
    if (place_ < text_.size() && text_[place_] == 'L') ++place_;  // a long of Python 2
    return value;
  }

  std::string_view word() {
    skip_blanks();
    const char quote = place_ < text_.size() ? text_[place_] : '\0';
    if (quote != '\'' && quote != '"') wrong("a text in quotes");
    const std::size_t begin = ++place_;
    while (place_ < text_.size() && text_[place_] != quote) ++place_;
    if (place_ == text_.size()) wrong("the end of the text");
    return text_.substr(begin, place_++ - begin);
  }

  void skip_blanks() {
    while (place_ < text_.size() && (text_[place_] == ' ' || text_[place_] == '\n' || text_[place_] == '\t')) ++place_;
  }

  bool next_is(char c, bool take = true) {
    skip_blanks();
    const bool is = place_ < text_.size() && text_[place_] == c;
    if (is && take) ++place_;
    return is;
  }

  void expect(char c) {
    if (!next_is(c)) wrong(fmt::format("'{}'", c));
  }

  [[noreturn]] void wrong(std::string_view expected) const {
    fail<FileError>("npy: the header has '{}' at byte {}, expected {}", printable(text_.substr(place_, 16)), place_,
                    expected);
  }

  std::string_view text_;
  std::size_t place_ = 0;
  NpyHeader header_;
  bool has_descr_ = false, has_order_ = false, has_shape_ = false;
};

template <class T>
T little_endian(const std::function<void(std::span<std::byte>)>& read) {
  std::array<std::byte, sizeof(T)> bytes;
  read(bytes);
  return std::bit_cast<T>(bytes);
}

}  // namespace

std::uint64_t NpyHeader::data_bytes() const {
  std::uint64_t all = 0;
  if (__builtin_mul_overflow(static_cast<std::uint64_t>(shape.numel()), std::uint64_t{bytes}, &all)) {
    fail<FileError>("npy: {} of {} bytes each overflow 64 bits", shape, bytes);
  }
  return all;
}

NpyHeader read_npy_header(const std::function<void(std::span<std::byte>)>& read) {
  std::array<std::byte, 8> start;
  read(start);
  const std::string_view text(reinterpret_cast<const char*>(start.data()), start.size());
  if (!text.starts_with(magic)) {
    const std::string_view kind = file_kind(start);
    if (!kind.empty()) fail<FileError>("npy: this is {}", kind);
    fail<FileError>("npy: begins with '{}', expected \\x93NUMPY", printable(text.substr(0, magic.size())));
  }
  const auto major = std::to_integer<int>(start[6]), minor = std::to_integer<int>(start[7]);
  if (major < 1 || major > 3 || minor != 0) {
    fail<FileError>("npy: version {}.{}, expected 1.0, 2.0 or 3.0", major, minor);
  }
  const std::uint32_t length = major == 1 ? little_endian<std::uint16_t>(read) : little_endian<std::uint32_t>(read);
  if (length > longest_header) fail<FileError>("npy: a header of {} bytes, the limit is {}", length, longest_header);
  std::string dictionary(length, '\0');
  read(std::as_writable_bytes(std::span(dictionary.data(), dictionary.size())));
  NpyHeader header = Dictionary(dictionary).read();
  header.begin = start.size() + (major == 1 ? 2 : 4) + length;
  return header;
}

std::string npy_header(std::string_view descr, const Shape& shape) {
  std::string sizes = fmt::format("{}", fmt::join(shape, ", "));
  if (shape.rank() == 1) sizes += ',';
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr, sizes);
  constexpr std::size_t before = magic.size() + 4;  // version and length
  text.resize((before + text.size() + 1 + alignment - 1) / alignment * alignment - before - 1, ' ');
  text += '\n';
  const auto length = static_cast<std::uint16_t>(text.size());
  return std::string(magic) +
         std::string{'\1', '\0', static_cast<char>(length & 0xff), static_cast<char>(length >> 8)} + text;
}

const char* npy_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return "<f4";
    case Dtype::bf16: return "<V2";
    case Dtype::i64: return "<i8";
    case Dtype::boolean: break;
  }
  return "|b1";
}

}  // namespace temper::detail
