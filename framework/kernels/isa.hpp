#pragma once

// Which instruction set our own kernels use.

#include <string>
#include <type_traits>

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

enum class Isa { sse2, avx2, avx512 };

/// "SSE2", "AVX2+FMA", "AVX-512"
std::string to_string(Isa isa);

/// Whether this CPU and operating system can run it.
bool supported(Isa isa);

/// The best supported one, or the one that TEMPER_ISA names (sse2, avx2, avx512); decided once in a process.
/// Throws: ValueError when TEMPER_ISA is another text, or names one that this CPU lacks.
Isa isa();

/// The kernels of isa(); tests ask for those of others.
const IsaTable& table();
const IsaTable& table(Isa isa);

/// Those of table() for elements of type T.
template <class T>
const StorageTable<T>& table_of();
template <>
inline const StorageTable<float>& table_of() {
  return table();
}
template <>
inline const StorageTable<BFloat16>& table_of() {
  return table().bf16;
}

/// y += x; Y is float or X.
template <class Y, class X>
auto accumulate_kernel() {
  if constexpr (std::is_same_v<Y, X>) {
    return table_of<X>().accumulate;
  } else {
    return table_of<X>().accumulate_in_float;
  }
}

}  // namespace temper::kernels
