#include <temper/io/safetensors.hpp>

#include <fmt/ranges.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/data/file_kind_internal.hpp"
#include "framework/data/utf8_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/io/safetensors_internal.hpp"
#include "framework/tensor/bytes_internal.hpp"

namespace temper {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

namespace {

using detail::printable;

constexpr std::string_view checksum_key = "temper.crc32";          // that of names, dtypes, shapes and other metadata
constexpr std::string_view tensor_checksum_key = "temper.crc32:";  // followed by a tensor's name: that of its bytes

std::string crc32_text(std::span<const std::byte> bytes) {
  return fmt::format("{:08x}", ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string crc32_text(std::string_view text) { return crc32_text(std::as_bytes(std::span(text.data(), text.size()))); }

/// Name, dtype and shape of each tensor, in the order of the names.
std::string summary(const Tensors& tensors) {
  std::string text;
  for (const auto& [name, tensor] : tensors) {
    text += fmt::format("{} {} {}\n", name, detail::safetensors_name(tensor.dtype()), tensor.shape());
  }
  return text;
}

std::string summary(std::vector<detail::SafetensorsEntry> entries) {
  std::string text;
  std::ranges::sort(entries, {}, &detail::SafetensorsEntry::name);
  for (const auto& entry : entries) text += fmt::format("{} {} {}\n", entry.name, entry.dtype->name, entry.shape);
  return text;
}

/// The checksum of everything but the tensors' bytes, which have their own. It does not depend on how the header is
/// formatted, so a program that rewrites the header with the same contents keeps it valid.
std::string header_checksum(std::string text, const Metadata& metadata) {
  for (const auto& [key, value] : metadata) {
    if (key != checksum_key) text += fmt::format("{}={}\n", key, value);
  }
  return crc32_text(text);
}

// Writing ---------------------------------------------------------------------------------------

void check_text(const char* what, const std::string& text) {
  if (detail::find_invalid_utf8(text) != std::string::npos) {
    fail<ValueError>("save: {} '{}' is not UTF-8", what, printable(text));
  }
}

}  // namespace

void detail::check_names(const Tensors& tensors, const Metadata& metadata) {
  for (const auto& [name, tensor] : tensors) {
    const bool control =
        std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (name.empty() || name == "__metadata__" || name.size() > detail::max_name_bytes || control) {
      fail<ValueError>("save: '{}' cannot be a tensor's name: expected 1 to {} bytes, no control characters",
                       printable(name), detail::max_name_bytes);
    }
    check_text("the name", name);
    if (!tensor.defined()) fail<ValueError>("save: tensor '{}' is undefined", printable(name));
  }
  for (const auto& [key, value] : metadata) {
    check_text("the metadata key", key);
    check_text("the metadata value", value);
    if (key.starts_with(checksum_key)) fail<ValueError>("save: the metadata key '{}' is reserved", printable(key));
  }
}

namespace {

std::string json_string(std::string_view text) { return nlohmann::json(text).dump(); }

/// Tensors with wide elements first, so that all elements are aligned in the file.
std::vector<Tensors::const_iterator> by_alignment(const Tensors& tensors) {
  std::vector<Tensors::const_iterator> order;
  for (auto it = tensors.begin(); it != tensors.end(); ++it) order.push_back(it);
  std::ranges::stable_sort(order, std::greater(), [](const auto& it) { return size_of(it->second.dtype()); });
  return order;
}

std::string header_text(const std::vector<Tensors::const_iterator>& order, const Metadata& metadata) {
  std::string text = "{\"__metadata__\":{";
  for (const auto& [key, value] : metadata) {
    if (text.back() != '{') text += ',';
    text += json_string(key) + ':' + json_string(value);
  }
  text += '}';
  std::size_t begin = 0;
  for (const auto& entry : order) {
    const auto& [name, tensor] = *entry;
    const std::size_t end = begin + detail::bytes_of(tensor).size();
    text += fmt::format(",{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", json_string(name),
                        detail::safetensors_name(tensor.dtype()), fmt::join(tensor.shape(), ","), begin, end);
    begin = end;
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  if (text.size() > detail::max_header_bytes) {
    fail<ValueError>("save: names and metadata need {} bytes, at most {} can be stored", text.size(),
                     detail::max_header_bytes);
  }
  return text;
}

// Reading ---------------------------------------------------------------------------------------

std::string read_header_text(detail::ByteSource& source) {
  constexpr std::uint64_t prefix = 8;
  if (source.size() < prefix) fail<FileError>("file_too_small: {} bytes, expected at least {}", source.size(), prefix);
  std::array<std::byte, prefix> length_bytes;
  source.read(0, length_bytes);
  const auto length = std::bit_cast<std::uint64_t>(length_bytes);
  if (length == 0) fail<FileError>("header_empty: the header has no bytes");
  if (length > detail::max_header_bytes) {
    if (const std::string_view kind = detail::file_kind(length_bytes); !kind.empty()) {
      const bool python = kind.find("torch.save") != kind.npos || kind.find("pickle") != kind.npos;
      fail<FileError>("not_safetensors: this is {}{}", kind, python ? detail::conversion_from_torch : "");
    }
    fail<FileError>("header_too_large: {} bytes, at most {} are supported", length, detail::max_header_bytes);
  }
  if (length > source.size() - prefix) {
    fail<FileError>("header_past_eof: the header has {} bytes, the file {} in all", length, source.size());
  }
  std::string text(length, '\0');
  source.read(prefix, std::as_writable_bytes(std::span(text.data(), text.size())));
  return text;
}

/// The checksums of a file that has them, taken out of its metadata.
class Checksums {
 public:
  Checksums(detail::SafetensorsHeader& header, bool required) {
    Metadata& metadata = header.metadata;
    for (auto it = metadata.begin(); it != metadata.end();) {
      it = it->first.starts_with(checksum_key) ? (stored_.insert(*it), metadata.erase(it)) : std::next(it);
    }
    none_ = stored_.empty() && !required;  // the file was written by another program
    if (none_) return;
    for (const auto& entry : header.entries) find(std::string(tensor_checksum_key) + entry.name, described(entry.name));
    Metadata all = metadata;
    all.insert(stored_.begin(), stored_.end());
    check(std::string(checksum_key), header_checksum(summary(header.entries), all), "the header");
  }

  void check(std::string_view name, std::span<const std::byte> bytes) const {
    if (!none_) check(std::string(tensor_checksum_key) + std::string(name), crc32_text(bytes), described(name));
  }

 private:
  static std::string described(std::string_view name) { return fmt::format("tensor '{}'", printable(name)); }

  const std::string& find(const std::string& key, const std::string& what) const {
    const auto stored = stored_.find(key);
    if (stored == stored_.end()) fail<FileError>("checksum_missing: {} has none", what);
    return stored->second;
  }
  void check(const std::string& key, const std::string& actual, const std::string& what) const {
    if (const std::string& stored = find(key, what); stored != actual) {
      fail<FileError>("checksum_mismatch: {} has CRC-32 {}, the file says {}", what, actual, printable(stored));
    }
  }

  Metadata stored_;
  bool none_ = false;
};

Dtype dtype_here(const detail::SafetensorsEntry& entry) {
  if (!entry.dtype->read_as) {
    fail<FileError>("unsupported_dtype: tensor '{}' is {}; F16 to F64, BF16, integers and BOOL can be read",
                    printable(entry.name), entry.dtype->name);
  }
  return *entry.dtype->read_as;
}

Tensor read_tensor(detail::ByteSource& source, std::uint64_t data_begin, const detail::SafetensorsEntry& entry,
                   const Checksums& checksums) {
  const Dtype dtype = dtype_here(entry);
  if (entry.dtype->name != detail::safetensors_name(dtype)) {
    std::vector<std::byte> stored(entry.end - entry.begin);
    source.read(data_begin + entry.begin, stored);
    checksums.check(entry.name, stored);
    return detail::converted_from(*entry.dtype, entry.shape, stored, entry.name);
  }
  Tensor tensor = empty(entry.shape, dtype);
  const std::span<std::byte> bytes = detail::mutable_bytes_of(tensor);
  source.read(data_begin + entry.begin, bytes);
  if (dtype == Dtype::boolean && std::ranges::any_of(bytes, [](std::byte b) { return b > std::byte{1}; })) {
    std::ranges::fill(bytes, std::byte{0});  // a bool of another value would be undefined behaviour
    fail<FileError>("bad_bool_value: tensor '{}' has bytes other than 0 and 1", printable(entry.name));
  }
  checksums.check(entry.name, bytes);
  return tensor;
}

TensorFile read_file(const std::filesystem::path& path, const LoadOptions& options) {
  detail::FileSource file(path);
  return detail::with_path(path, [&] { return detail::read_safetensors(file, options); });
}

}  // namespace

namespace detail {

TensorFile read_safetensors(ByteSource& source, const LoadOptions& options) {
  const std::string text = read_header_text(source);
  const std::uint64_t data_begin = sizeof(std::uint64_t) + text.size(), data_bytes = source.size() - data_begin;
  SafetensorsHeader header = parse_safetensors_header(text, data_bytes);
  const Checksums checksums(header, options.require_checksums);
  const auto wanted = [&](const SafetensorsEntry& entry) { return !options.wanted || options.wanted(entry.name); };

  std::uint64_t bytes = 0;  // in memory. At most eight times those of the file, so the sum does not overflow
  for (const SafetensorsEntry& entry : header.entries) {
    if (wanted(entry)) bytes += static_cast<std::uint64_t>(entry.shape.numel()) * size_of(dtype_here(entry));
  }
  const std::uint64_t limit = options.max_bytes.value_or(memory_of_machine());
  if (bytes > limit) fail<FileError>("too_large: {} bytes of tensors, the limit is {}", bytes, limit);

  TensorFile file{.tensors = {}, .metadata = std::move(header.metadata)};
  for (SafetensorsEntry& entry : header.entries) {
    if (!wanted(entry)) {
      const auto& [dtype, bits, here] = *entry.dtype;
      file.left_out.emplace(std::move(entry.name),
                            fmt::format("{} {}", here ? to_string(*here) : std::string(dtype), entry.shape));
      continue;
    }
    Tensor tensor = read_tensor(source, data_begin, entry, checksums);
    file.tensors.emplace(std::move(entry.name), std::move(tensor));
  }
  source.expect_end();
  return file;
}

}  // namespace detail

void save_tensors(const std::filesystem::path& path, const Tensors& tensors, const Metadata& metadata) {
  detail::check_names(tensors, metadata);
  Metadata stored = metadata;
  for (const auto& [name, tensor] : tensors) {
    stored[std::string(tensor_checksum_key) + name] = crc32_text(detail::bytes_of(tensor));
  }
  stored[std::string(checksum_key)] = header_checksum(summary(tensors), stored);

  const std::vector<Tensors::const_iterator> order = by_alignment(tensors);
  const std::string header = header_text(order, stored);
  const auto length = static_cast<std::uint64_t>(header.size());
  detail::AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(std::as_bytes(std::span(header.data(), header.size())));
  for (const auto& entry : order) file.write(detail::bytes_of(entry->second));
  file.commit();
}

TensorFile load_tensors(const std::filesystem::path& path, const LoadOptions& options) {
  const auto index = detail::shard_index_of(path);
  return index ? detail::read_shards(*index, options, read_file) : read_file(path, options);
}

}  // namespace temper
