#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <temper/io/safetensors.hpp>

namespace temper::detail {

class ByteSource;

/// One tensor as the header describes it.
struct SafetensorsEntry {
  std::string name;
  Dtype dtype = Dtype::f32;
  Shape shape;
  std::uint64_t begin = 0;  ///< in bytes, from the end of the header
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  ///< in the order of their bytes, which they cover without a gap
  Metadata metadata;
};

inline constexpr std::uint64_t max_header_bytes = 100'000'000;
inline constexpr std::size_t max_name_bytes = 1024;

/// Reads the JSON text of a header for `data_bytes` of data.
/// Throws, as all here: FileError that begins with an error code.
SafetensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes);
/// Checks of the text that come before its grammar: UTF-8, escapes, depth, nothing after the object.
void check_json_text(std::string_view text);
/// The position of the first byte that is not UTF-8; npos when all is.
std::size_t find_invalid_utf8(std::string_view text);

TensorFile read_safetensors(ByteSource& source, const LoadOptions& options);

/// "F32", "BF16", "I64", "BOOL"
const char* safetensors_name(Dtype dtype);

}  // namespace temper::detail
