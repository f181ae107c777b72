#pragma once

#include <string>
#include <utility>
#include <vector>

namespace temper::bench {

/// What every output says of where it was measured: threads, instruction set, oneDNN, BLAS, CPU, compiler.
std::vector<std::pair<std::string, std::string>> machine();

}  // namespace temper::bench
