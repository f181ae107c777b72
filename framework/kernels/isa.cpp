#include "framework/kernels/isa.hpp"

#include <cpuid.h>

#include <array>
#include <cstdlib>
#include <string_view>

#include "framework/core/format_internal.hpp"
#include "framework/kernels/isa/parts.hpp"

namespace temper::kernels {

namespace sse2 {
extern const Parts parts;
}
namespace avx2 {
extern const Parts parts;
}
namespace avx512 {
extern const Parts parts;
}

namespace {

constexpr std::array all = {Isa::sse2, Isa::avx2, Isa::avx512};
constexpr std::array<std::string_view, 3> names = {"sse2", "avx2", "avx512"};

Isa choose() {
  if (const char* wanted = std::getenv("TEMPER_ISA"); wanted != nullptr && *wanted != '\0') {
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (wanted != names[i]) continue;
      if (!supported(all[i])) fail<ValueError>("TEMPER_ISA is '{}', which this CPU does not have", wanted);
      return all[i];
    }
    fail<ValueError>("TEMPER_ISA is '{}', expected sse2, avx2 or avx512", wanted);
  }
  Isa best = Isa::sse2;
  for (const Isa candidate : all) {
    if (supported(candidate)) best = candidate;
  }
  return best;
}

}  // namespace

std::string to_string(Isa isa) {
  switch (isa) {
    case Isa::sse2: return "SSE2";
    case Isa::avx2: return "AVX2+FMA";
    case Isa::avx512: return "AVX-512";
  }
  return "?";
}

namespace {

/// Read from CPUID, because not every compiler's __builtin_cpu_supports knows F16C.
bool has_f16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

}  // namespace

bool supported(Isa isa) {
  // The compiler's run-time check also asks whether the operating system saves the registers.
  switch (isa) {
    case Isa::sse2: return true;
    case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    case Isa::avx512:
      return supported(Isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw");
  }
  return false;
}

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

const IsaTable& table(Isa isa) {
  static const std::array tables = {merged(sse2::parts), merged(avx2::parts), merged(avx512::parts)};
  return tables[static_cast<std::size_t>(isa)];
}

const IsaTable& table() {
  static const IsaTable& chosen = table(isa());
  return chosen;
}

}  // namespace temper::kernels
