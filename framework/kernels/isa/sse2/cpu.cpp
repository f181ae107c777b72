#include "framework/kernels/isa/cpu.hpp"

namespace temper::kernels::sse2 {

extern const Cpu cpu;
const Cpu cpu = {"SSE2", [] { return true; }};  // every x86-64 CPU has it

}  // namespace temper::kernels::sse2
