// Conversion of dtypes that other programs store and tensors here do not have.

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "framework/core/format_internal.hpp"
#include "framework/data/file_internal.hpp"
#include "framework/io/safetensors_internal.hpp"

namespace temper::detail {

namespace {

/// IEEE 754 binary16. Every such number is exact in float.
struct Half {
  std::uint16_t bits;

  explicit operator float() const {
    const std::uint32_t sign = std::uint32_t{bits} >> 15 << 31, exponent = bits >> 10 & 0x1f, fraction = bits & 0x3ff;
    if (exponent == 0) {  // a multiple of 2^-24
      const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
      return sign != 0 ? -magnitude : magnitude;
    }
    const std::uint32_t wide = exponent == 0x1f ? 0xff : exponent + (127 - 15);
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
  }
};

template <class Stored, class Element>
Tensor converted(const Shape& shape, std::span<const std::byte> bytes) {
  Tensor tensor = empty(shape, dtype_of<Element>);
  const std::byte* source = bytes.data();
  for (Element& element : tensor.mutable_values<Element>()) {
    Stored stored;
    std::memcpy(&stored, source, sizeof stored);
    element = static_cast<Element>(stored);
    source += sizeof stored;
  }
  return tensor;
}

}  // namespace

Tensor converted_from(const StoredDtype& dtype, const Shape& shape, std::span<const std::byte> bytes,
                      std::string_view name) {
  if (dtype.name == "F16") return converted<Half, float>(shape, bytes);
  if (dtype.name == "F64") return converted<double, float>(shape, bytes);
  if (dtype.name == "I32") return converted<std::int32_t, std::int64_t>(shape, bytes);
  if (dtype.name == "I16") return converted<std::int16_t, std::int64_t>(shape, bytes);
  if (dtype.name == "I8") return converted<std::int8_t, std::int64_t>(shape, bytes);
  if (dtype.name == "U32") return converted<std::uint32_t, std::int64_t>(shape, bytes);
  if (dtype.name == "U16") return converted<std::uint16_t, std::int64_t>(shape, bytes);
  if (dtype.name == "U8") return converted<std::uint8_t, std::int64_t>(shape, bytes);
  const Tensor tensor = converted<std::uint64_t, std::int64_t>(shape, bytes);  // U64
  const auto values = tensor.values<std::int64_t>();
  if (const auto bad = std::ranges::find_if(values, [](std::int64_t x) { return x < 0; }); bad != values.end()) {
    fail<FileError>("integer_overflow: tensor '{}' has {}, i64 holds at most {}", printable(name),
                    static_cast<std::uint64_t>(*bad), std::numeric_limits<std::int64_t>::max());
  }
  return tensor;
}

}  // namespace temper::detail
