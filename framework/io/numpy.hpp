#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

#include <temper/io/safetensors.hpp>
#include <temper/tensor/tensor.hpp>

namespace temper {

struct NumpyOptions {
  std::optional<std::uint64_t> max_bytes = std::nullopt;  ///< refuse more; by default the machine's memory
  /// Which arrays of a .npz to read, by name; by default all. The others may be of any dtype.
  std::function<bool(std::string_view name)> wanted = nullptr;
};

/// Reads a NumPy array (.npy) of format version 1.0 to 3.0, of either byte order, in C or Fortran order. Floats become
/// f32, integers i64, bool stays bool, and V2 is bf16, as ml_dtypes and MLX write it. Throws: FileError that begins
/// with the path, for a file that does not match its header, other dtypes, and integers that i64 cannot hold. Source:
/// NumPy, "numpy.lib.format".
Tensor load_npy(const std::filesystem::path& path, const NumpyOptions& options = {});

/// Writes a tensor as a NumPy array, all or nothing: f32 as <f4, i64 as <i8, bool as |b1, bf16 as <V2, to be read with
/// `.view(ml_dtypes.bfloat16)`. Throws: ValueError for an undefined tensor; FileError when the file cannot be written.
void save_npy(const std::filesystem::path& path, const Tensor& tensor);

/// Reads a NumPy archive (.npz), as numpy.savez and savez_compressed write it, and verifies its checksums. Names are
/// without ".npy". Throws: FileError as load_npy, also for members that overlap, are encrypted or share a name. Source:
/// PKWARE, "APPNOTE.TXT - .ZIP File Format Specification" (6.3.9); RFC 1951.
Tensors load_npz(const std::filesystem::path& path, const NumpyOptions& options = {});

struct NpzOptions {
  bool compress = false;  ///< by deflate, as numpy.savez_compressed
};

/// Writes tensors as a NumPy archive, all or nothing. The same tensors give the same bytes.
/// Throws: ValueError for an undefined tensor, or a name that is empty, has control characters or is not UTF-8;
/// FileError when the file cannot be written.
void save_npz(const std::filesystem::path& path, const Tensors& tensors, const NpzOptions& options = {});

}  // namespace temper
