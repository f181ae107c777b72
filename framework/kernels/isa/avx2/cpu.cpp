#include "framework/kernels/isa/cpu.hpp"

#include <cpuid.h>

namespace temper::kernels::avx2 {

namespace {

/// Read from CPUID, because not every compiler's __builtin_cpu_supports knows F16C.
bool has_f16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

/// The compiler's run-time check also asks whether the operating system saves the registers.
bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c(); }

}  // namespace

extern const Cpu cpu;
const Cpu cpu = {"AVX2+FMA", supported};

}  // namespace temper::kernels::avx2
