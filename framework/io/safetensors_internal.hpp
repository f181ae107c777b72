#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <temper/io/safetensors.hpp>

namespace temper::detail {

class ByteSource;

/// A dtype of files, and the dtype its tensors are read as: floats as f32 or bf16, integers as i64.
struct StoredDtype {
  std::string_view name;
  unsigned bits;
  std::optional<Dtype> read_as;  ///< none if it is not supported
};

/// Throws: FileError for a name that the format does not know.
const StoredDtype& stored_dtype(std::string_view name, std::string_view tensor);

/// One tensor as the header describes it.
struct SafetensorsEntry {
  std::string name;
  const StoredDtype* dtype = nullptr;
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
/// Checks the text before it is parsed: UTF-8, escapes, depth, nothing after the object.
void check_json_text(std::string_view text);

TensorFile read_safetensors(ByteSource& source, const LoadOptions& options);

/// Throws: ValueError for a name or a metadata key that cannot be stored, and for an undefined tensor.
void check_names(const Tensors& tensors, const Metadata& metadata);

/// What to do with a file of PyTorch's own format, which only Python reads.
inline constexpr std::string_view conversion_from_torch =
    "; if PyTorch wrote it, convert it in Python:\n"
    "  import torch, safetensors.torch as st\n"
    "  st.save_file({k: v.clone() for k, v in torch.load(\"FILE\", weights_only=True).items()}, \"model.safetensors\")";

/// A tensor of a stored dtype that is not one of ours, converted. Throws: FileError for a number that i64 cannot hold.
Tensor converted_from(const StoredDtype& dtype, const Shape& shape, std::span<const std::byte> bytes,
                      std::string_view name);

/// The file of each tensor, from the index of a model in several shards.
/// Throws: FileError for a text that is no index, or names a file outside the index's folder.
std::map<std::string, std::string, std::less<>> parse_shard_index(std::string_view text);
/// The path itself if it is an index, or the index or single file in a folder; none for any other file.
/// Throws: FileError for a folder without index.
std::optional<std::filesystem::path> shard_index_of(const std::filesystem::path& path);
/// All shards as one file. `read` reads one of them.
TensorFile read_shards(const std::filesystem::path& index, const LoadOptions& options,
                       const std::function<TensorFile(const std::filesystem::path&, const LoadOptions&)>& read);

/// "F32", "BF16", "I64", "BOOL"
const char* safetensors_name(Dtype dtype);

}  // namespace temper::detail
