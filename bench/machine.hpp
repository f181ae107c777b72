#pragma once

#include <string>
#include <utility>
#include <vector>

namespace temper::bench {

/// Names and values of what results depend on: version, threads, instruction set, oneDNN, BLAS, CPU, compiler.
std::vector<std::pair<std::string, std::string>> machine();

}  // namespace temper::bench
