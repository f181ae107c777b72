#pragma once

#include <string>

namespace temper {

/// One line that says what runs: version, instruction set of our kernels, threads, oneDNN's version.
/// "Temper 0.1.0, AVX-512, 2 threads, oneDNN 2.6.3"
std::string info();

/// "0.1.0"
std::string version();

}  // namespace temper
