#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <temper/tensor/tensor.hpp>

namespace temper::detail {

/// The elements of a tensor of any dtype as bytes, for copying and for files.
std::span<const std::byte> bytes_of(const Tensor& tensor);
/// The same, for writing: counts as a change in place.
std::span<std::byte> mutable_bytes_of(Tensor& tensor);

/// Bytes of one element.
inline std::int64_t element_bytes(const Tensor& tensor) { return static_cast<std::int64_t>(size_of(tensor.dtype())); }

}  // namespace temper::detail
