#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <temper/tensor/tensor.hpp>

namespace temper {

/// Tensors by name.
using Tensors = std::map<std::string, Tensor, std::less<>>;
/// Free text by key, stored beside the tensors.
using Metadata = std::map<std::string, std::string, std::less<>>;

/// The contents of a file in safetensors format.
struct TensorFile {
  Tensors tensors;
  Metadata metadata;
  /// Descriptions of the tensors that LoadOptions::wanted left out, such as "f32 [2, 3]" or "F8_E4M3 [2, 3]".
  std::map<std::string, std::string, std::less<>> left_out{};
};

struct LoadOptions {
  std::optional<std::uint64_t> max_bytes = std::nullopt;  ///< limit of all tensors; by default the machine's memory
  bool require_checksums = false;                         ///< refuse files without them, as other programs write
  /// Which tensors to read, by name; by default all. The others are skipped, and may be of any dtype.
  std::function<bool(std::string_view name)> wanted = nullptr;
};

/// Writes tensors of any dtype in safetensors format, with a checksum for each. The file appears whole or not at all:
/// until it is complete, and when writing fails, the path keeps its old contents. Makes the folder if it is missing.
/// Throws: ValueError for a name or a metadata key that cannot be stored; FileError when the file cannot be written.
void save_tensors(const std::filesystem::path& path, const Tensors& tensors, const Metadata& metadata = {});

/// Reads a file in safetensors format. F16 and F64 become f32, all integers i64; BF16 and BOOL stay what they are. A
/// model in several files is read by its index ("model.safetensors.index.json") or the folder that holds it. Strict: a
/// file with duplicate keys, unused bytes or wrong checksums is refused. Throws: FileError
/// that begins with the path and a code such as `overlap` or `size_mismatch`; `unsupported_dtype` for F8, F6, F4 and
/// C64 when such a tensor is wanted. Source: Hugging Face, "Safetensors", the format section.
TensorFile load_tensors(const std::filesystem::path& path, const LoadOptions& options = {});

}  // namespace temper
