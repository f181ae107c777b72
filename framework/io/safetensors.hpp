#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <temper/tensor/tensor.hpp>

namespace temper {

/// Tensors by name.
using Tensors = std::map<std::string, Tensor, std::less<>>;
/// Free text by key, stored beside the tensors.
using Metadata = std::map<std::string, std::string, std::less<>>;

/// What a file in safetensors format holds.
struct TensorFile {
  Tensors tensors;
  Metadata metadata;
};

struct LoadOptions {
  std::optional<std::uint64_t> max_bytes = std::nullopt;  ///< refuse more; by default the machine's memory
  bool require_checksums = false;                         ///< refuse files without, which other programs write
};

/// Writes tensors of any dtype in safetensors format, with a checksum for each. The file appears whole or not at all:
/// while it is written, and when writing fails, the path holds what it held before.
/// Throws: ValueError for a name or a metadata key that cannot be stored; FileError when the file cannot be written.
void save_tensors(const std::filesystem::path& path, const Tensors& tensors, const Metadata& metadata = {});

/// Reads a file in safetensors format: F32, BF16, I64 and BOOL. Strict: a file that says anything twice, leaves bytes
/// unused or does not match its checksums is refused.
/// Throws: FileError that begins with the path and a code such as `overlap` or `size_mismatch`.
/// Source: Hugging Face, "Safetensors", the format section.
TensorFile load_tensors(const std::filesystem::path& path, const LoadOptions& options = {});

}  // namespace temper
