#pragma once

#include <cstddef>
#include <span>

#include <temper/tensor/tensor.hpp>

namespace temper::detail {

/// The elements of a tensor of any dtype as bytes, for copying and for files.
std::span<const std::byte> bytes_of(const Tensor& tensor);
/// The same, for writing: counts as a change in place.
std::span<std::byte> mutable_bytes_of(Tensor& tensor);

}  // namespace temper::detail
