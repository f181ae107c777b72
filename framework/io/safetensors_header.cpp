#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/safetensors_internal.hpp"

namespace temper::detail {

namespace {

constexpr std::string_view metadata_key = "__metadata__";
constexpr std::uint64_t max_dimension = std::uint64_t{1} << 48;

constexpr StoredDtype dtypes[] = {
    {"F32", 32, Dtype::f32},          {"F16", 16, Dtype::f32},
    {"F64", 64, Dtype::f32},          {"BF16", 16, Dtype::bf16},
    {"I64", 64, Dtype::i64},          {"I32", 32, Dtype::i64},
    {"I16", 16, Dtype::i64},          {"I8", 8, Dtype::i64},
    {"U64", 64, Dtype::i64},          {"U32", 32, Dtype::i64},
    {"U16", 16, Dtype::i64},          {"U8", 8, Dtype::i64},
    {"BOOL", 8, Dtype::boolean},      {"F8_E4M3", 8, std::nullopt},
    {"F8_E5M2", 8, std::nullopt},     {"F8_E8M0", 8, std::nullopt},
    {"F8_E4M3FNUZ", 8, std::nullopt}, {"F8_E5M2FNUZ", 8, std::nullopt},
    {"F6_E2M3", 6, std::nullopt},     {"F6_E3M2", 6, std::nullopt},
    {"F4", 4, std::nullopt},          {"C64", 64, std::nullopt},
};

/// The JSON library's message without its prefix: the position is in our own message.
std::string parser_error(const nlohmann::json::exception& error) {
  const std::string text = error.what();
  const std::size_t begin = text.find(" - ");
  return printable(begin == std::string::npos ? text : text.substr(begin + 3));
}

/// Parses a header event by event: a parsed JSON object would silently keep one of two equal keys.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(std::uint64_t data_bytes) : data_bytes_(data_bytes) {}

  SafetensorsHeader take() { return std::move(header_); }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::outside: place_ = Place::top; return true;
      case Place::top: place_ = name_ == metadata_key ? Place::metadata : Place::entry; break;
      default: misplaced("an object");
    }
    fields_ = {};
    return true;
  }

  bool key(string_t& key) override {
    switch (place_) {
      case Place::top: begin_value(key); break;
      case Place::metadata:
        if (!header_.metadata.emplace(key, "").second) duplicate(key);
        field_ = key;
        break;
      default: begin_field(key);
    }
    return true;
  }

  bool end_object() override {
    if (place_ == Place::entry) end_entry();
    place_ = place_ == Place::top ? Place::outside : Place::top;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::entry || field_ == "dtype") misplaced("an array");
    place_ = field_ == "shape" ? Place::shape : Place::offsets;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets && offsets_.size() != 2) {
      fail<FileError>("wrong_arity: data_offsets of tensor '{}' have length {}, expected 2", printable(name_),
                      offsets_.size());
    }
    place_ = Place::entry;
    return true;
  }

  bool string(string_t& text) override {
    if (place_ == Place::metadata) {
      header_.metadata[field_] = std::move(text);
    } else if (place_ == Place::entry && field_ == "dtype") {
      entry_.dtype = &stored_dtype(text, name_);
    } else {
      misplaced("a string");
    }
    return true;
  }

  bool number_unsigned(number_unsigned_t number) override {
    if (place_ == Place::offsets) {
      offsets_.push_back(number);
      if (offsets_.size() > 16) {
        fail<FileError>("wrong_arity: data_offsets of tensor '{}' have length 17 or more, expected 2",
                        printable(name_));
      }
    } else if (place_ == Place::shape) {
      if (shape_.size() == Shape::max_rank) {
        fail<FileError>("rank_too_large: tensor '{}' has more than {} axes", printable(name_),
                        static_cast<int>(Shape::max_rank));
      }
      shape_.push_back(number);
    } else {
      misplaced("a number");
    }
    return true;
  }

  bool number_float(number_float_t, const string_t& text) override {
    // A whole number that does not fit 64 bits arrives here too.
    const bool numeral = place_ == Place::shape || place_ == Place::offsets;
    if (numeral && text.find_first_not_of("0123456789") == string_t::npos) {
      fail<FileError>("integer_overflow: {} of tensor '{}' has {}", field_, printable(name_), printable(text));
    }
    misplaced("a number that is not a whole one");
  }

  bool number_integer(number_integer_t) override { misplaced("a negative number"); }
  bool null() override { misplaced("null"); }
  bool boolean(bool) override { misplaced("a truth value"); }
  bool binary(binary_t&) override { misplaced("binary data"); }

  bool parse_error(std::size_t position, const std::string& token, const nlohmann::json::exception& error) override {
    fail<FileError>("json_syntax: at byte {} of the header, near '{}': {}", position, printable(token),
                    parser_error(error));
  }

 private:
  enum class Place { outside, top, metadata, entry, shape, offsets };
  struct Fields {
    bool dtype = false, shape = false, offsets = false;
  };

  [[noreturn]] void misplaced(const char* what) const {
    const std::string name = printable(name_);
    switch (place_) {
      case Place::metadata:
        fail<FileError>("metadata_wrong_type: '{}' in __metadata__ is {}, expected a string", printable(field_), what);
      case Place::top:
        if (name_ == metadata_key) fail<FileError>("metadata_wrong_type: __metadata__ is {}, expected an object", what);
        fail<FileError>("wrong_type: tensor '{}' is {}, expected an object", name, what);
      case Place::shape:
      case Place::offsets:
        if (std::string_view(what) == "an object" || std::string_view(what) == "an array") {
          fail<FileError>("wrong_type: {} of tensor '{}' holds {}, expected numbers", field_, name, what);
        }
        fail<FileError>("not_an_unsigned_integer: {} of tensor '{}' holds {}, expected whole numbers from 0 on", field_,
                        name, what);
      default: break;
    }
    fail<FileError>("wrong_type: {} of tensor '{}' is {}, expected {}", field_, name, what,
                    field_ == "dtype" ? "a string" : "an array of numbers");
  }

  [[noreturn]] static void duplicate(const std::string& key) {
    fail<FileError>("duplicate_key: '{}' appears twice", printable(key));
  }

  void begin_value(const std::string& key) {
    if (key.empty()) fail<FileError>("empty_name: a tensor has no name");
    if (key.size() > max_name_bytes) {
      fail<FileError>("name_too_long: '{}', at most {} are supported", printable(key), max_name_bytes);
    }
    if (std::ranges::any_of(key, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
      fail<FileError>("name_control_char: tensor '{}'", printable(key));
    }
    if (!names_.insert(key).second) duplicate(key);
    name_ = key;
    entry_ = {};
    shape_.clear();
    offsets_.clear();
  }

  void begin_field(const std::string& key) {
    bool* seen = key == "dtype"          ? &fields_.dtype
                 : key == "shape"        ? &fields_.shape
                 : key == "data_offsets" ? &fields_.offsets
                                         : nullptr;
    if (seen == nullptr) {
      fail<FileError>("unknown_field: tensor '{}' has '{}', expected dtype, shape and data_offsets", printable(name_),
                      printable(key));
    }
    if (*seen) fail<FileError>("duplicate_field: tensor '{}' has '{}' twice", printable(name_), key);
    *seen = true;
    field_ = key;
  }

  void end_entry() {
    const char* missing = !fields_.dtype     ? "dtype"
                          : !fields_.shape   ? "shape"
                          : !fields_.offsets ? "data_offsets"
                                             : nullptr;
    if (missing != nullptr) fail<FileError>("missing_field: tensor '{}' has no {}", printable(name_), missing);
    entry_.name = name_;
    entry_.begin = offsets_[0];
    entry_.end = offsets_[1];
    check_size();
    header_.entries.push_back(std::move(entry_));
  }

  /// The shape's bytes must be those of the range, without overflow on the way.
  void check_size() {
    const bool none = std::ranges::find(shape_, 0u) != shape_.end();
    const unsigned bits = entry_.dtype->bits;
    const bool whole = bits % 8 == 0;  // F4 and F6 are counted in bits
    std::uint64_t size = whole ? bits / 8 : bits;
    bool overflow = false;
    for (const std::uint64_t axis : shape_) {
      if (none && axis > max_dimension) {
        fail<FileError>("dim_too_large: tensor '{}' [{}]", printable(name_), fmt::join(shape_, ", "));
      }
      if (axis != 0) overflow = __builtin_mul_overflow(size, axis, &size) || overflow;
    }
    if (overflow || (none && size > max_dimension)) {
      fail<FileError>("shape_overflow: tensor '{}' [{}] has too many bytes", printable(name_), fmt::join(shape_, ", "));
    }
    if (none) size = 0;
    if (entry_.begin > entry_.end) {
      fail<FileError>("bad_range: tensor '{}' from byte {} to byte {}", printable(name_), entry_.begin, entry_.end);
    }
    if (entry_.end - entry_.begin != (whole ? size : size / 8) || (!whole && size % 8 != 0)) {
      fail<FileError>("size_mismatch: tensor '{}' is {} [{}], {} {}, but its range has {} bytes", printable(name_),
                      entry_.dtype->name, fmt::join(shape_, ", "), size, whole ? "bytes" : "bits",
                      entry_.end - entry_.begin);
    }
    if (entry_.end > data_bytes_) return;  // check_ranges refuses it; only sizes that fit the file surely fit a Shape
    std::array<std::int64_t, Shape::max_rank> sizes{};
    std::ranges::transform(shape_, sizes.begin(), [](std::uint64_t axis) { return static_cast<std::int64_t>(axis); });
    entry_.shape = Shape(std::span<const std::int64_t>(sizes).first(shape_.size()));
  }

  std::uint64_t data_bytes_;
  Place place_ = Place::outside;
  std::string name_;   // the current key of the outer object
  std::string field_;  // the current key within that
  Fields fields_;
  std::vector<std::uint64_t> shape_, offsets_;
  SafetensorsEntry entry_;
  std::set<std::string> names_;
  SafetensorsHeader header_;
};

/// The ranges must cover the data exactly: no byte twice, none unused.
void check_ranges(std::vector<SafetensorsEntry>& entries, std::uint64_t data_bytes) {
  std::ranges::sort(entries, {}, [](const SafetensorsEntry& e) { return std::pair(e.begin, e.end); });
  std::uint64_t covered = 0;
  std::string_view last;
  for (const SafetensorsEntry& entry : entries) {
    const std::string name = printable(entry.name);
    if (entry.begin < covered) {
      fail<FileError>("overlap: tensor '{}' begins at byte {}, tensor '{}' ends at {}", name, entry.begin,
                      printable(last), covered);
    }
    if (entry.begin > covered) {
      fail<FileError>("hole: bytes {} to {} before tensor '{}' belong to none", covered, entry.begin, name);
    }
    if (entry.end > data_bytes) {
      fail<FileError>("range_past_eof: tensor '{}' ends at byte {} of the data, which has {}", name, entry.end,
                      data_bytes);
    }
    covered = entry.end;
    last = entry.name;
  }
  if (covered != data_bytes) {
    fail<FileError>("trailing_bytes: {} bytes after the last tensor belong to none", data_bytes - covered);
  }
}

}  // namespace

const StoredDtype& stored_dtype(std::string_view name, std::string_view tensor) {
  const auto found = std::ranges::find(dtypes, name, &StoredDtype::name);
  if (found == std::end(dtypes)) {
    fail<FileError>("unknown_dtype: tensor '{}' is '{}'", printable(tensor), printable(name));
  }
  return *found;
}

const char* safetensors_name(Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: return "F32";
    case Dtype::bf16: return "BF16";
    case Dtype::i64: return "I64";
    case Dtype::boolean: break;
  }
  return "BOOL";
}

SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes) {
  check_json_text(text);
  HeaderReader reader(data_bytes);
  nlohmann::json::sax_parse(text.begin(), text.end(), &reader);
  SafetensorsHeader header = reader.take();
  check_ranges(header.entries, data_bytes);
  return header;
}

}  // namespace temper::detail
