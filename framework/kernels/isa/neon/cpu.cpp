#include "framework/kernels/isa/cpu.hpp"

namespace temper::kernels::neon {

extern const Cpu cpu;
const Cpu cpu = {"NEON", [] { return true; }};  // every arm64 CPU has it

}  // namespace temper::kernels::neon
