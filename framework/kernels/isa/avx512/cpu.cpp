#include "framework/kernels/isa/cpu.hpp"

namespace temper::kernels {

namespace avx2 {
extern const Cpu cpu;
}

namespace avx512 {

namespace {

bool supported() {
  return avx2::cpu.supported() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}

}  // namespace

extern const Cpu cpu;
const Cpu cpu = {"AVX-512", supported};

}  // namespace avx512

}  // namespace temper::kernels
