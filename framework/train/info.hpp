#pragma once

#include <string>

namespace temper {

/// One line for logs: version, instruction set of our kernels, number of threads, version of oneDNN.
/// "Temper 0.1.0, AVX-512, 2 threads, oneDNN 2.6.3"
std::string info();

/// "0.1.0"
std::string version();

}  // namespace temper
