#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <temper/core/dtype.hpp>
#include <temper/core/shape.hpp>

namespace temper::detail {

/// What a .npy file says of itself before the elements begin.
struct NpyHeader {
  char kind = 'f';             ///< b, i, u, f as NumPy has them; V: two bytes of what NumPy does not know, bfloat16
  std::size_t bytes = 4;       ///< of an element
  bool swapped = false;        ///< the elements are big-endian
  bool fortran_order = false;  ///< the first axis varies fastest
  Shape shape;
  std::uint64_t begin = 0;  ///< where the elements begin

  /// Bytes of all elements. Throws: FileError when 64 bits cannot hold that.
  std::uint64_t data_bytes() const;
};

/// Reads the header; `read` fills what it is given with the bytes that follow in the file.
/// Throws: FileError for a text that is none, or elements that no tensor can hold.
/// Source: NumPy, "numpy.lib.format", versions 1.0, 2.0 and 3.0.
NpyHeader read_npy_header(const std::function<void(std::span<std::byte>)>& read);

/// The header of a little-endian array in C order, of version 1.0: its length is a multiple of 64, so that a mapped
/// file's elements are aligned. `descr` is NumPy's name of the elements: "<f4".
std::string npy_header(std::string_view descr, const Shape& shape);
/// "<f4", "<V2" for bf16 as ml_dtypes and MLX have it, "<i8", "|b1"
const char* npy_name(Dtype dtype);

}  // namespace temper::detail
