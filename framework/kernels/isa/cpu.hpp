#pragma once

// What portable code must know of an instruction set before it is chosen. Each has one, in its folder.

namespace temper::kernels {

struct Cpu {
  const char* title;  // "AVX2+FMA"
  /// Whether this CPU and operating system can run it.
  bool (*supported)();
};

}  // namespace temper::kernels
