#include <temper/io/safetensors.hpp>

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "framework/core/format_internal.hpp"
#include "framework/data/bytes_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/atomic_file_internal.hpp"
#include "framework/io/safetensors_internal.hpp"

namespace temper {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

namespace {

using detail::printable;

constexpr std::string_view checksum_key = "temper.crc32";          // of names, dtypes, shapes and all other metadata
constexpr std::string_view tensor_checksum_key = "temper.crc32:";  // followed by a tensor's name: of its bytes

std::string crc32_text(std::span<const std::byte> bytes) {
  return fmt::format("{:08x}", ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string crc32_text(std::string_view text) { return crc32_text(std::as_bytes(std::span(text.data(), text.size()))); }

/// The checksum over everything but the tensors' bytes, which have their own. It is of what the header says, not of its
/// text: another program may write the same header in another way.
std::string header_checksum(const Tensors& tensors, const Metadata& metadata) {
  std::string text;
  for (const auto& [name, tensor] : tensors) {
    text += fmt::format("{} {} {}\n", name, detail::safetensors_name(tensor.dtype()), tensor.shape());
  }
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

void check_names(const Tensors& tensors, const Metadata& metadata) {
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

std::string json_string(std::string_view text) { return nlohmann::json(text).dump(); }

/// Wide elements first, so that all of them are aligned in the file.
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

std::uint64_t memory_of_machine() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGE_SIZE));
}

std::string read_header_text(detail::ByteSource& source) {
  constexpr std::uint64_t prefix = 8;
  if (source.size() < prefix) fail<FileError>("file_too_small: {} bytes, expected at least {}", source.size(), prefix);
  std::array<std::byte, prefix> length_bytes;
  source.read(length_bytes);
  const auto length = std::bit_cast<std::uint64_t>(length_bytes);
  if (length == 0) fail<FileError>("header_empty: the header has no bytes");
  if (length > detail::max_header_bytes) {
    fail<FileError>("header_too_large: {} bytes, at most {} are supported", length, detail::max_header_bytes);
  }
  if (length > source.size() - prefix) {
    fail<FileError>("header_past_eof: the header has {} bytes, the file {} in all", length, source.size());
  }
  std::string text(length, '\0');
  source.read(std::as_writable_bytes(std::span(text.data(), text.size())));
  return text;
}

void read_elements(detail::ByteSource& source, const std::string& name, Tensor& tensor) {
  const std::span<std::byte> bytes = detail::mutable_bytes_of(tensor);
  source.read(bytes);
  if (tensor.dtype() != Dtype::boolean) return;
  if (std::ranges::any_of(bytes, [](std::byte b) { return b > std::byte{1}; })) {
    std::ranges::fill(bytes, std::byte{0});  // never a bool that is neither
    fail<FileError>("bad_bool_value: tensor '{}' has bytes other than 0 and 1", printable(name));
  }
}

/// Checks the checksums of a file that has them, and takes them out of its metadata.
void check_checksums(TensorFile& file, bool required) {
  Metadata found;
  for (auto it = file.metadata.begin(); it != file.metadata.end();) {
    it = it->first.starts_with(checksum_key) ? (found.insert(*it), file.metadata.erase(it)) : std::next(it);
  }
  if (found.empty() && !required) return;  // written by another program
  const auto expect = [&](const std::string& key, const std::string& actual, const std::string& what) {
    const auto stored = found.find(key);
    if (stored == found.end()) fail<FileError>("checksum_missing: {} has none", what);
    if (stored->second != actual) {
      fail<FileError>("checksum_mismatch: {} has CRC-32 {}, the file says {}", what, actual, printable(stored->second));
    }
  };
  for (const auto& [name, tensor] : file.tensors) {
    expect(std::string(tensor_checksum_key) + name, crc32_text(detail::bytes_of(tensor)),
           fmt::format("tensor '{}'", printable(name)));
  }
  Metadata all = file.metadata;
  all.insert(found.begin(), found.end());
  expect(std::string(checksum_key), header_checksum(file.tensors, all), "the header");
}

}  // namespace

namespace detail {

TensorFile read_safetensors(ByteSource& source, const LoadOptions& options) {
  const std::string text = read_header_text(source);
  const std::uint64_t data_bytes = source.size() - sizeof(std::uint64_t) - text.size();
  SafetensorsHeader header = parse_safetensors_header(text, data_bytes);
  const std::uint64_t limit = options.max_bytes.value_or(memory_of_machine());
  if (data_bytes > limit) fail<FileError>("too_large: {} bytes of tensors, the limit is {}", data_bytes, limit);

  TensorFile file{.tensors = {}, .metadata = std::move(header.metadata)};
  for (SafetensorsEntry& entry : header.entries) {
    Tensor tensor = empty(entry.shape, entry.dtype);
    read_elements(source, entry.name, tensor);
    file.tensors.emplace(std::move(entry.name), std::move(tensor));
  }
  source.expect_end();
  check_checksums(file, options.require_checksums);
  return file;
}

}  // namespace detail

void save_tensors(const std::filesystem::path& path, const Tensors& tensors, const Metadata& metadata) {
  check_names(tensors, metadata);
  Metadata stored = metadata;
  for (const auto& [name, tensor] : tensors) {
    stored[std::string(tensor_checksum_key) + name] = crc32_text(detail::bytes_of(tensor));
  }
  stored[std::string(checksum_key)] = header_checksum(tensors, stored);

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
  detail::FileSource file(path);
  return detail::with_path(path, [&] { return detail::read_safetensors(file, options); });
}

}  // namespace temper
