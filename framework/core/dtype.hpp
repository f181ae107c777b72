#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>

#include <temper/core/bfloat16.hpp>

namespace temper {

/// The type of a tensor's elements. Indices and labels are i64, as in PyTorch.
enum class Dtype : std::uint8_t { f32, bf16, i64, boolean };

/// Bytes per element.
std::size_t size_of(Dtype dtype);

/// "f32", "bf16", "i64", "bool"
std::string to_string(Dtype dtype);
std::ostream& operator<<(std::ostream& out, Dtype dtype);

namespace detail {
template <class T>
struct DtypeOf {
  static_assert(sizeof(T) == 0, "elements are float, BFloat16, std::int64_t or bool");
};
template <>
struct DtypeOf<float> {
  static constexpr Dtype value = Dtype::f32;
};
template <>
struct DtypeOf<BFloat16> {
  static constexpr Dtype value = Dtype::bf16;
};
template <>
struct DtypeOf<std::int64_t> {
  static constexpr Dtype value = Dtype::i64;
};
template <>
struct DtypeOf<bool> {
  static constexpr Dtype value = Dtype::boolean;
};
}  // namespace detail

/// The Dtype of a C++ element type: float, BFloat16, std::int64_t or bool.
template <class T>
inline constexpr Dtype dtype_of = detail::DtypeOf<T>::value;

}  // namespace temper
