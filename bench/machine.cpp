#include "bench/machine.hpp"

#include <dlfcn.h>

#include <fstream>

#include <temper/core/parallel.hpp>
#include <temper/train/info.hpp>

#include "framework/kernels/isa.hpp"
#include "framework/kernels/onednn_version.hpp"

namespace temper::bench {

namespace {

std::string cpu() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

/// The core that OpenBLAS detected. Only LibTorch uses OpenBLAS; Temper does not.
std::string blas_core() {
  using Name = const char* (*)();
  const auto name = reinterpret_cast<Name>(dlsym(RTLD_DEFAULT, "openblas_get_corename"));
  return name != nullptr ? std::string("OpenBLAS ") + name() : "none";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> machine() {
  return {{"temper", version()},
          {"threads", std::to_string(threads())},
          {"instruction set", kernels::to_string(kernels::isa())},
          {"oneDNN", kernels::onednn_version()},
          {"BLAS core", blas_core()},
          {"CPU", cpu()},
          {"compiler", "GCC " __VERSION__}};
}

}  // namespace temper::bench
