#include <temper/data/idx.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/gzip_internal.hpp"

namespace temper::data {

namespace {

constexpr std::size_t header_bytes = 4;

std::size_t size_of(IdxType type) {
  switch (type) {
    case IdxType::u8:
    case IdxType::i8: return 1;
    case IdxType::i16: return 2;
    case IdxType::i32:
    case IdxType::f32: return 4;
    case IdxType::f64: return 8;
  }
  return 0;
}

std::uint32_t big_endian(std::span<const std::byte> bytes) {
  std::uint32_t value = 0;
  for (const std::byte b : bytes) value = value << 8 | std::to_integer<std::uint32_t>(b);
  return value;
}

/// The file's content in order, from memory or through gzip.
class Content {
 public:
  Content(std::span<const std::byte> file, std::string_view name) : rest_(file) {
    if (temper::detail::is_gzip(file) || name.ends_with(".gz")) gzip_.emplace(file);
  }

  /// Fewer than asked for only at the end.
  std::size_t read(std::span<std::byte> out) {
    if (gzip_) return gzip_->read(out);
    const std::size_t count = std::min(out.size(), rest_.size());
    std::ranges::copy(rest_.first(count), out.begin());
    rest_ = rest_.subspan(count);
    return count;
  }

  void finish(std::size_t announced) {
    if (gzip_) return gzip_->finish();
    if (!rest_.empty()) fail<FileError>("idx: {} bytes after the {} the header announces", rest_.size(), announced);
  }

  /// The most that can still come.
  std::uint64_t most() const { return gzip_ ? temper::detail::most_unpacked(rest_.size()) : rest_.size(); }

 private:
  std::span<const std::byte> rest_;
  std::optional<temper::detail::Gunzip> gzip_;
};

struct Header {
  IdxType type;
  Shape shape;
  std::uint64_t bytes;
};

/// Some writers forget that IDX is big-endian.
const char* endian_hint(std::span<const std::uint32_t> sizes) {
  const bool swapped = std::ranges::all_of(sizes, [](std::uint32_t s) { return __builtin_bswap32(s) < s; });
  return swapped ? "; the sizes look little-endian, IDX is big-endian" : "";
}

Header read_header(Content& content, std::uint64_t max_bytes) {
  std::array<std::byte, header_bytes> start;
  const std::size_t got = content.read(start);
  if (got == 0) fail<FileError>("idx: the file is empty");
  if (got < start.size()) fail<FileError>("idx: {} bytes, expected at least {} of header", got, start.size());
  if (start[0] != std::byte{0} || start[1] != std::byte{0}) {
    fail<FileError>("idx: begins with {:02x} {:02x}, expected 00 00", std::to_integer<int>(start[0]),
                    std::to_integer<int>(start[1]));
  }
  const auto type = static_cast<IdxType>(start[2]);
  if (size_of(type) == 0) {
    fail<FileError>("idx: unknown element type {:02x}, expected 08, 09, 0b, 0c, 0d or 0e",
                    std::to_integer<int>(start[2]));
  }
  const auto rank = std::to_integer<std::size_t>(start[3]);
  if (rank == 0 || rank > Shape::max_rank) {
    fail<FileError>("idx: {} axes, expected 1 to {}", rank, static_cast<int>(Shape::max_rank));
  }

  std::array<std::uint32_t, Shape::max_rank> sizes{};
  std::array<std::int64_t, Shape::max_rank> signed_sizes{};
  std::uint64_t bytes = size_of(type);
  bool overflow = false;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    std::array<std::byte, 4> word;
    if (content.read(word) < word.size()) {
      fail<FileError>("idx: ends within the header, at the size of axis {} of {}", axis, rank);
    }
    sizes[axis] = big_endian(word);
    signed_sizes[axis] = sizes[axis];
    if (sizes[axis] == 0) fail<FileError>("idx: axis {} has size 0", axis);
    overflow = overflow || __builtin_mul_overflow(bytes, std::uint64_t{sizes[axis]}, &bytes);
  }
  const auto shown = std::span(sizes).first(rank);
  if (overflow) {
    fail<FileError>("idx: sizes [{}] overflow 64 bits{}", fmt::join(shown, ", "), endian_hint(shown));
  }
  if (bytes > content.most()) {
    fail<FileError>("idx: sizes [{}] need {} bytes, the file holds at most {}{}", fmt::join(shown, ", "), bytes,
                    content.most(), endian_hint(shown));
  }
  if (bytes > max_bytes) {
    fail<FileError>("idx: sizes [{}] need {} bytes, the limit is {}{}", fmt::join(shown, ", "), bytes, max_bytes,
                    endian_hint(shown));
  }
  return {type, Shape(std::span<const std::int64_t>(signed_sizes).first(rank)), bytes};
}

void to_native_order(std::span<std::byte> bytes, std::size_t element) {
  if (element == 1 || std::endian::native == std::endian::big) return;
  for (std::size_t i = 0; i < bytes.size(); i += element) std::ranges::reverse(bytes.subspan(i, element));
}

template <class Stored, class Element>
Tensor converted(const IdxArray& array) {
  Tensor tensor = empty(array.shape, dtype_of<Element>);
  const std::byte* source = array.bytes.data();
  for (Element& element : tensor.mutable_values<Element>()) {
    Stored stored;
    std::memcpy(&stored, source, sizeof stored);
    element = static_cast<Element>(stored);
    source += sizeof stored;
  }
  return tensor;
}

}  // namespace

Tensor IdxArray::tensor() const {
  switch (type) {
    case IdxType::u8: return converted<std::uint8_t, std::int64_t>(*this);
    case IdxType::i8: return converted<std::int8_t, std::int64_t>(*this);
    case IdxType::i16: return converted<std::int16_t, std::int64_t>(*this);
    case IdxType::i32: return converted<std::int32_t, std::int64_t>(*this);
    case IdxType::f32: return converted<float, float>(*this);
    case IdxType::f64: break;
  }
  return converted<double, float>(*this);
}

IdxArray parse_idx(std::span<const std::byte> file, std::string_view name, const IdxOptions& options) {
  try {
    Content content(file, name);
    const Header header = read_header(content, options.max_bytes);
    IdxArray array{header.type, header.shape, std::vector<std::byte>(header.bytes)};
    const std::size_t got = content.read(array.bytes);
    if (got < header.bytes) fail<FileError>("idx: {} needs {} bytes, the file has {}", header.shape, header.bytes, got);
    content.finish(header.bytes);
    to_native_order(array.bytes, size_of(header.type));
    return array;
  } catch (const FileError& error) {
    fail<FileError>("{}: {}", temper::detail::printable(name), error.what());
  }
}

IdxArray read_idx(const std::filesystem::path& path, const IdxOptions& options) {
  // Deflate makes nothing longer by more than a thousandth, headers aside.
  const std::uint64_t longest = options.max_bytes + options.max_bytes / 1000 + (1 << 16);
  return parse_idx(temper::detail::read_file(path, longest), path.native(), options);
}

}  // namespace temper::data
