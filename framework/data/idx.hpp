#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include <temper/tensor/tensor.hpp>

namespace temper::data {

/// The element types of IDX files, by their code.
enum class IdxType : std::uint8_t { u8 = 0x08, i8 = 0x09, i16 = 0x0B, i32 = 0x0C, f32 = 0x0D, f64 = 0x0E };

/// What an IDX file holds.
struct IdxArray {
  IdxType type = IdxType::u8;
  Shape shape;
  std::vector<std::byte> bytes;  ///< the elements, row-major, in this machine's byte order

  /// The elements as i64 (integers) or f32.
  Tensor tensor() const;
};

struct IdxOptions {
  std::uint64_t max_bytes = std::uint64_t{4} << 30;  ///< refuse files that hold more, before allocating anything
};

/// Reads an IDX file, the format of MNIST and its successors, plain or compressed by gzip.
/// Throws: FileError that begins with the path, for a file that is not exactly what its header announces.
/// Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", "The IDX file format".
IdxArray read_idx(const std::filesystem::path& path, const IdxOptions& options = {});

/// The same from memory; a `name` that ends in .gz must be compressed.
IdxArray parse_idx(std::span<const std::byte> file, std::string_view name, const IdxOptions& options = {});

}  // namespace temper::data
