#pragma once

// Which instruction set our own kernels use.

#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "framework/kernels/isa/table.hpp"

namespace temper::kernels {

/// Calls each(name) for the instruction sets that this processor has, or newer ones like it, each better than the one
/// before. The first one all have. cmake/TemperTargets.cmake has the same list, with the compiler's flags, and
/// kernels/isa/NAME what each does in its own way.
#if defined(__aarch64__)
#define TEMPER_EACH_ISA(each) each(neon)
#else
#define TEMPER_EACH_ISA(each) each(sse2) each(avx2) each(avx512)
#endif

#define TEMPER_ENUMERATOR(name) name,
enum class Isa { TEMPER_EACH_ISA(TEMPER_ENUMERATOR) };
#undef TEMPER_ENUMERATOR

/// "SSE2", "AVX2+FMA", "AVX-512", "NEON"
std::string to_string(Isa isa);

/// The one that TEMPER_ISA calls "avx2" is Isa::avx2.
std::string_view name_of(Isa isa);

/// Whether this CPU and operating system can run it.
bool supported(Isa isa);

/// All, and those that are supported, from the first to the best.
const std::vector<Isa>& all_isas();
const std::vector<Isa>& supported_isas();

/// The best supported one, or the one that TEMPER_ISA names; decided once in a process.
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
